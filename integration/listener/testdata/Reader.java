import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.*;
import org.apache.kafka.clients.consumer.*;
import org.apache.kafka.common.*;
import org.apache.kafka.common.header.Header;
import org.apache.kafka.common.serialization.ByteArrayDeserializer;

/** Reads a topic from its start to the end that it has now: one line for each record. */
public class Reader {
    public static void main(String[] args) {
        Properties p = new Properties();
        p.put("bootstrap.servers", args[0]);
        p.put("isolation.level", "read_committed");
        p.put("key.deserializer", ByteArrayDeserializer.class.getName());
        p.put("value.deserializer", ByteArrayDeserializer.class.getName());
        for (int i = 2; i < args.length; i++) {
            String[] setting = args[i].split("=", 2);
            p.put(setting[0], setting[1]);
        }
        try (KafkaConsumer<byte[], byte[]> c = new KafkaConsumer<>(p)) {
            List<TopicPartition> parts = new ArrayList<>();
            for (PartitionInfo i : c.partitionsFor(args[1])) parts.add(new TopicPartition(i.topic(), i.partition()));
            c.assign(parts);
            c.seekToBeginning(parts);
            Map<TopicPartition, Long> ends = c.endOffsets(parts);
            StringBuilder out = new StringBuilder();
            while (parts.stream().anyMatch(tp -> c.position(tp) < ends.get(tp)))
                for (ConsumerRecord<byte[], byte[]> r : c.poll(Duration.ofSeconds(1))) line(out, r);
            System.out.print(out);
        }
    }

    static void line(StringBuilder out, ConsumerRecord<byte[], byte[]> r) {
        out.append(r.partition()).append('\t').append(r.offset()).append('\t').append(r.timestamp()).append('\t');
        out.append(text(r.key())).append('\t').append(r.value() == null ? -1 : r.value().length).append('\t').append(text(r.value())).append('\t');
        String separator = "";
        for (Header h : r.headers()) {
            out.append(separator).append(h.key()).append('=').append(text(h.value()));
            separator = ",";
        }
        out.append('\n');
    }

    static String text(byte[] b) { return b == null ? "" : new String(b, StandardCharsets.ISO_8859_1); }
}
