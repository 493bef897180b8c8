package service

import (
	"context"
	"strings"
	"time"

	"github.com/coreos/go-systemd/v22/daemon"
)

// A Manager is who started us. Its methods may be called from any goroutine; a
// message that cannot be sent is dropped.
type Manager struct {
	Notify   func(state string) error // nil: nobody is there to be told
	Watchdog time.Duration            // without a ping for so long we are started anew; 0: none
}

// FromEnvironment finds the manager that the environment names.
func FromEnvironment() *Manager {
	m := &Manager{Notify: func(state string) error {
		_, err := daemon.SdNotify(false, state)
		return err
	}}
	m.Watchdog, _ = daemon.SdWatchdogEnabled(false)
	return m
}

// Ready says that everything is open.
func (m *Manager) Ready() { m.tell(daemon.SdNotifyReady) }

// Stopping says that the daemon drains.
func (m *Manager) Stopping() { m.tell(daemon.SdNotifyStopping) }

// Status says in one line what the daemon does.
func (m *Manager) Status(text string) {
	m.tell("STATUS=" + strings.ReplaceAll(text, "\n", " "))
}

func (m *Manager) tell(state string) {
	if m.Notify != nil {
		_ = m.Notify(state)
	}
}

// statusEvery is how often the line is told without a watchdog.
const statusEvery = 10 * time.Second

// Keep tells the line, and pings while alive says nothing against it, until ctx
// ends. A call of alive that does not return is a daemon that does not live.
func (m *Manager) Keep(ctx context.Context, alive func() error, status func() string) {
	every := statusEvery
	if m.Watchdog > 0 {
		every = min(every, m.Watchdog/2)
	}
	tick := time.NewTicker(every)
	defer tick.Stop()
	for {
		if err := alive(); err != nil {
			m.Status("does not live: " + err.Error())
		} else {
			m.Status(status())
			if m.Watchdog > 0 {
				m.tell(daemon.SdNotifyWatchdog)
			}
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}
