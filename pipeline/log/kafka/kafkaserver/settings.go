//go:build unix

package kafkaserver

import (
	"maps"
	"slices"
	"strconv"
	"strings"
)

// listeners are the names of those that the node has.
func (n *Node) listeners() (names []string) {
	if n.broker {
		names = append(names, plaintext)
		for _, l := range n.cluster.options.Listeners {
			names = append(names, l.Name)
		}
	}
	if n.controller {
		names = append(names, controller)
	}
	return names
}

// settings are the node's server.properties.
func (n *Node) settings() map[string]string {
	s := n.cluster.options.config(n.id)
	maps.Copy(s, n.place())
	maps.Copy(s, n.further)
	return s
}

// place is what makes it a member of this cluster.
func (n *Node) place() map[string]string {
	s := map[string]string{
		"node.id":                        strconv.Itoa(n.id),
		"process.roles":                  strings.Join(n.roles(), ","),
		"controller.quorum.voters":       n.cluster.voters(),
		"controller.listener.names":      controller,
		"listeners":                      n.urls(n.listeners()),
		"listener.security.protocol.map": n.cluster.options.protocols(),
		"log.dirs":                       n.Data(),
	}
	if n.broker {
		s["inter.broker.listener.name"] = plaintext
		s["advertised.listeners"] = n.urls(slices.DeleteFunc(n.listeners(), func(name string) bool { return name == controller }))
	}
	for _, l := range n.cluster.options.Listeners {
		for k, v := range l.Config {
			s["listener.name."+strings.ToLower(l.Name)+"."+k] = v
		}
	}
	return s
}

func (n *Node) roles() (list []string) {
	if n.broker {
		list = append(list, "broker")
	}
	if n.controller {
		list = append(list, "controller")
	}
	return list
}

func (n *Node) urls(names []string) string {
	var list []string
	for _, name := range names {
		list = append(list, name+"://"+n.hostPort(name))
	}
	return strings.Join(list, ",")
}

func (o *Options) protocols() string {
	list := []string{plaintext + ":PLAINTEXT", controller + ":PLAINTEXT"}
	for _, l := range o.Listeners {
		list = append(list, l.Name+":"+l.Protocol)
	}
	return strings.Join(list, ",")
}

// properties writes settings as java.util.Properties reads them.
func properties(settings map[string]string) string {
	escape := strings.NewReplacer(`\`, `\\`, "\n", `\n`, "\r", `\r`, "\t", `\t`)
	var b strings.Builder
	for _, k := range slices.Sorted(maps.Keys(settings)) {
		v := escape.Replace(settings[k])
		if strings.HasPrefix(v, " ") {
			v = `\` + v
		}
		b.WriteString(k + "=" + v + "\n")
	}
	return b.String()
}
