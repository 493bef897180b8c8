package store

import (
	"fmt"
	"runtime"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/bloom"
)

// bloomBits is per key; one get in a hundred of an absent key reads a block.
const bloomBits = 10

// options of Pebble; see the benchmarks for what was measured. Epochs come in
// bursts on two cores that operators need as well, so one compaction runs at a
// time and a second one only when it falls behind.
func (s *Store) options() *pebble.Options {
	o := &pebble.Options{
		FS:                          s.disk.Wrap(),
		Cache:                       s.shared.cache,
		FileCache:                   s.shared.files,
		ReadOnly:                    s.opt.ReadOnly,
		DisableWAL:                  true,
		FormatMajorVersion:          pebble.FormatValueSeparation,
		Logger:                      logger{s},
		MemTableSize:                uint64(s.opt.MemTable),
		MemTableStopWritesThreshold: 3,
		L0CompactionThreshold:       4,
		L0StopWritesThreshold:       32,
		LBaseMaxBytes:               64 << 20,
		FlushSplitBytes:             4 << 20,
		BytesPerSync:                1 << 20,
		CompactionConcurrencyRange:  func() (int, int) { return 1, 2 },
		EventListener: &pebble.EventListener{
			BackgroundError: func(err error) { s.background(err) },
			FlushEnd:        func(i pebble.FlushInfo) { s.worked(i.Err) },
			CompactionEnd:   func(i pebble.CompactionInfo) { s.worked(i.Err) },
			DataCorruption:  func(i pebble.DataCorruptionInfo) { s.damage(fmt.Errorf("%s", i)) },
		},
	}
	o.ApplyCompressionSettings(func() pebble.DBCompressionSettings { return pebble.DBCompressionFastest })
	for i := range o.Levels {
		o.TargetFileSizes[i] = tableBytes // Pebble's own are twice as large on each level
		o.Levels[i].BlockSize = 8 << 10
		o.Levels[i].FilterPolicy = bloom.FilterPolicy(bloomBits)
		o.Levels[i].FilterType = pebble.TableFilter
	}
	return o
}

// logger is Pebble's way to say things.
type logger struct{ s *Store }

func (logger) Infof(string, ...any) {}

func (g logger) Errorf(format string, args ...any) {
	g.s.opt.Events.Trouble(fmt.Sprintf(format, args...))
}

// Fatalf must not return: Pebble's state is undefined behind it. It ends the
// goroutine instead of the process. All goroutines that can come here are
// Pebble's or the store's own, never a caller's.
func (g logger) Fatalf(format string, args ...any) {
	g.s.fail(fmt.Errorf(format, args...))
	runtime.Goexit()
}

// background hears what Pebble's own goroutines could not do. They try it again, for
// ever: nobody who is to end waits for that, and the goroutine ends.
func (s *Store) background(err error) {
	if pebble.IsCorruptionError(err) {
		s.damage(err)
		return
	}
	if s.disk.Failed(err) {
		s.opt.Events.Trouble("background: " + err.Error())
	}
	if s.isEnding() {
		s.fail(err)
		runtime.Goexit()
	}
}

// worked hears of a flush or a compaction that has ended.
func (s *Store) worked(err error) {
	if err == nil {
		s.disk.Worked()
	}
}

// isEnding reports whether nobody waits for the disk any more.
func (s *Store) isEnding() bool {
	select {
	case <-s.closing:
		return true
	case <-s.opt.Ending:
		return true
	default:
		return false
	}
}
