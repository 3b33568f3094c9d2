package main

import (
	"context"
	"fmt"
	"strings"
	"time"

	systemd "github.com/coreos/go-systemd/v22/daemon"
	"github.com/rs/zerolog"
)

// This file is how the daemon speaks with systemd (sd_notify(3)). Where systemd did not start
// it, nothing is said and nobody watches.

// tellSystemd sends assignments such as READY=1, all in one message.
func tellSystemd(log zerolog.Logger, assignments ...string) {
	if _, err := systemd.SdNotify(false, strings.Join(assignments, "\n")); err != nil {
		log.Warn().Err(err).Msg("systemd could not be told how the daemon is; NOTIFY_SOCKET names where")
	}
}

// statusServing is what `systemctl status` shows of a daemon that is well.
const statusServing = "Serving."

// stopMargin is what a stop may take beyond the drain timeout.
const stopMargin = 10 * time.Second

// tellStopping says that the daemon stops, and how long that may take: without it systemd
// would end a drain after its own TimeoutStopSec.
func tellStopping(log zerolog.Logger, drain time.Duration) {
	tellSystemd(log, systemd.SdNotifyStopping, fmt.Sprintf("EXTEND_TIMEOUT_USEC=%d", (drain+stopMargin).Microseconds()), "STATUS=Stopping: what is under way is finished.")
}

// tellReloading says that the configuration is read; tellReady ends it.
func tellReloading(log zerolog.Logger) {
	tellSystemd(log, systemd.SdNotifyReloading, strings.TrimSpace(systemd.SdNotifyMonotonicUsec()))
}

func tellReady(log zerolog.Logger, status string) {
	tellSystemd(log, systemd.SdNotifyReady, "STATUS="+status)
}

// watchdog tells systemd that the daemon works, as long as it does, until ctx ends: systemd does
// not watch a drain, and workers that end in it are not stuck. It returns once ended ends. A part
// that hangs hangs it as well, and then systemd starts the daemon anew.
func (a *app) watchdog(ctx, ended context.Context) error {
	within, err := systemd.SdWatchdogEnabled(false)
	if err != nil {
		a.log.Warn().Err(err).Msg("the watchdog of systemd cannot be understood; it is not served")
	}
	if within > 0 {
		a.serveWatchdog(ctx, within)
	}
	<-ended.Done()
	return nil
}

// serveWatchdog gives a sign four times within the time that systemd allows. The first is not
// given at once: the workers are about to start.
func (a *app) serveWatchdog(ctx context.Context, within time.Duration) {
	well := true
	for pause(ctx, within/4); ctx.Err() == nil; pause(ctx, within/4) {
		err := a.working(ctx, within/4)
		if err == nil {
			tellSystemd(a.log, systemd.SdNotifyWatchdog)
		} else if well && ctx.Err() == nil {
			a.log.Error().Err(err).Dur("within", within).Msg("the daemon is stuck; unless that passes systemd starts it anew")
		}
		well = err == nil
	}
}

// working returns nil once each part has answered and the workers of the queue have shown a
// sign of life; it hangs with a part that hangs. That an SMSC or a messenger is away, or that
// the disk or the cluster fails, is no reason for a restart, which would mend none of it.
func (a *app) working(ctx context.Context, within time.Duration) error {
	a.linkStates()
	a.linkCounts()
	a.messengerStates()
	a.routeStates()
	a.hub.Stats()
	a.stageStats()
	a.leases()
	idle := a.store.Working()
	if idle == nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, within)
	defer cancel()
	if a.store.Healthy(ctx) != nil {
		return nil
	}
	return idle
}
