package ops

import (
	"context"
	"runtime"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"

	"smsbridge/bridge"
)

// Sources are where a collector reads from when it is asked. Each may be nil where
// there is nothing to read. They are called concurrently.
type Sources struct {
	Depths     func(ctx context.Context) ([]QueueDepth, error)
	Stages     func() []StageStats
	Leases     func() LeaseCounts
	Routes     func() []RouteState
	Records    func(ctx context.Context) (Records, error)
	Links      func() []LinkState
	LinkCounts func() []LinkCounts
	Messengers func() []MessengerState
	Hub        func() bridge.Stats
	// ReceiptsElsewhere tells when other instances last had a receipt, by account.
	ReceiptsElsewhere func() map[string]time.Time
	Config            func() ConfigState
	Calls             func() CallStats  // nil where no call-detail records are kept
	Traces            func() TraceStats // nil where nothing is traced
	Census            *Census
}

// scrapeTimeout bounds the reading of the depths: Prometheus gives up after 10 s by default.
const scrapeTimeout = 5 * time.Second

// NewRegistry makes the metrics of s, read when Prometheus asks, together with those of
// the process, the Go runtime and the build, which is of version. The labels are of
// closed sets: stages, reasons, outcomes and states of the bridge, and the names of
// links, accounts and networks in the configuration. Each series of a counter is there
// from the start.
func NewRegistry(version string, s Sources) *prometheus.Registry {
	build := prometheus.NewGauge(prometheus.GaugeOpts{
		Name: "smsbridge_build_info", Help: "Which build is running; always 1.",
		ConstLabels: prometheus.Labels{"version": version, "go_version": runtime.Version()},
	})
	build.Set(1)
	r := prometheus.NewRegistry()
	r.MustRegister(build, &collector{s}, collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	if s.Calls != nil {
		r.MustRegister(callCollector{s.Calls})
	}
	if s.Census != nil {
		r.MustRegister(s.Census)
	}
	if s.Traces != nil {
		r.MustRegister(traceCollector{s.Traces})
	}
	return r
}

type collector struct{ Sources }

// family is a metric and its labels.
type family struct {
	desc *prometheus.Desc
	kind prometheus.ValueType
}

func gauge(name, help string, labels ...string) family {
	return family{prometheus.NewDesc("smsbridge_"+name, help, labels, nil), prometheus.GaugeValue}
}

func counter(name, help string, labels ...string) family {
	return family{prometheus.NewDesc("smsbridge_"+name, help, labels, nil), prometheus.CounterValue}
}

var (
	queueUp       = gauge("queue_up", "Whether the queue could be read: 1 or 0.")
	queueMessages = gauge("queue_messages", "Messages that wait in a stage.", "stage")
	queueBytes    = gauge("queue_size_bytes", "Size of a stage.", "stage")
	queueLimit    = gauge("queue_limit_bytes", "Size at which a stage refuses messages; 0 is no limit.", "stage")
	queueOldest   = gauge("queue_oldest_age_seconds", "Age of the oldest message of a stage; 0 where nothing waits.", "stage")

	routeMessages = gauge("route_messages", "Messages to phones that wait for a route, those being submitted included.", "route")
	routeOldest   = gauge("route_oldest_age_seconds", "Age of the oldest message that waits for a route; 0 where nothing waits.", "route")

	recordPhones     = gauge("phones", "Phones of which something is known: conversations, opt-outs, or whose they are.")
	recordReassembly = gauge("reassembly_messages", "Records of what has not come or not gone in full: long messages from phones with parts missing, open questions, and the like.")

	stagePublished = counter("queue_published_total", "Messages that were stored in a stage.", "stage")
	stageAcked     = counter("queue_acked_total", "Messages that are done with a stage.", "stage")
	stageRetried   = counter("queue_retries_total", "Tries that failed and were made again.", "stage")
	stagePanics    = counter("queue_panics_total", "Handlers that panicked; each is a defect.", "stage")
	stageDead      = counter("queue_dead_letters_total", "Messages that a stage gave up.", "stage")

	leaseInstances = gauge("queue_instances", "Instances that work at the queue together; 0 where it is this daemon's own.")
	leaseHeld      = gauge("queue_leases", "Lanes and tasks of one instance at a time, by who holds them.", "holder")
	leaseChanges   = counter("queue_lease_changes_total", "Leases that this instance took, gave back, or lost because it gave no sign of life.", "change")

	linkBound  = gauge("smpp_link_bound", "Whether a link is bound: 1 or 0.", "link", "account")
	linkState  = gauge("smpp_link_state", "Whether a link is in a state: 1 or 0. Paused is bound and throttled; quarantined is down for long, since the SMSC drops each bind at once.", "link", "account", "state")
	linkHeld   = gauge("smpp_link_held", "Whether an operator has paused a link: 1 or 0.", "link", "account")
	linkWindow = gauge("smpp_window_requests", "Requests that may be under way on a link.", "link", "account")
	linkInUse  = gauge("smpp_in_flight_requests", "Requests that are under way on a link.", "link", "account")
	linkBinds  = counter("smpp_binds_total", "Times that a link was bound.", "link", "account")

	linkSubmits  = counter("smpp_submits_total", "Submits of messages over a link, by how they ended.", "link", "account", "outcome")
	linkSegments = counter("smpp_segments_total", "Segments that an SMSC took.", "link", "account")
	linkRefused  = counter("smpp_mo_refusals_total", "Short messages that could not be stored, so that the SMSC sends them again.", "link", "account")
	linkFaults   = counter("smpp_faults_total", "What should not happen on a link; a panic is a defect of the bridge.", "link", "account", "fault")

	messengerBounced = counter("messenger_bounces_total", "Texts that a network gave back after taking them.", "network")
	messengerPanics  = counter("messenger_panics_total", "Handlers that panicked; each is a defect.", "network")

	messengerConnected = gauge("messenger_connected", "Whether a messenger is connected: 1 or 0.", "network")

	configOK      = gauge("config_ok", "Whether the configuration file, as it was last read, is in use: 1 or 0.")
	configLoaded  = gauge("config_loaded_timestamp_seconds", "When the configuration that is in use was read.")
	configReloads = counter("config_reloads_total", "Times that the configuration file was read again, by what became of it.", "result")

	hubAccepted       = counter("bridge_mt_accepted_total", "Messages to phones that were accepted.")
	hubRefused        = counter("bridge_mt_refusals_total", "Messages to phones that were refused at intake.", "network", "reason")
	hubSubmits        = counter("bridge_submits_total", "Submits of messages, by how they ended.", "outcome")
	hubEnded          = counter("bridge_mt_ended_total", "Messages to phones that are in a final state.", "state", "reason")
	hubStored         = counter("bridge_mo_stored_total", "Short messages from SMSCs that were stored, receipts among them.")
	hubDelivered      = counter("bridge_mo_delivered_total", "Messages from phones that messengers have.")
	hubRepeated       = counter("bridge_mo_repeated_total", "Short messages from SMSCs that had come before.")
	hubReceipts       = counter("bridge_receipts_total", "Receipts, by whether their message is known.", "match")
	hubPanics         = counter("bridge_panics_total", "Messages that ended by a defect of the bridge.")
	hubDue            = counter("bridge_receipts_due_total", "Messages that were sent and that a receipt is to come for.", "account")
	hubCame           = counter("bridge_receipts_came_total", "Receipts that belong to a message.", "account")
	hubSentAfter      = counter("bridge_mt_sent_seconds", "How long after their acceptance messages were with an SMSC.")
	hubDeliveredAfter = counter("bridge_mt_delivered_seconds", "How long after their acceptance phones had messages, by their receipts.")
	hubMOAfter        = counter("bridge_mo_delivered_seconds", "How long after they came from an SMSC messengers had texts of phones.")
	hubReceiptAfter   = counter("bridge_receipt_seconds", "How long after the SMSC took a message its last receipt came.")
	hubKeywords       = counter("bridge_mo_keywords_total", "Texts of phones that asked the bridge itself for something.", "keyword")
	hubDead           = counter("bridge_dead_letters_total", "Messages that the bridge gave up.", "reason")
)

// Describe sends the families, as prometheus.Collector asks.
func (c *collector) Describe(ch chan<- *prometheus.Desc) {
	for _, f := range []family{
		queueUp, queueMessages, queueBytes, queueLimit, queueOldest,
		routeMessages, routeOldest, recordPhones, recordReassembly,
		stagePublished, stageAcked, stageRetried, stagePanics, stageDead,
		leaseInstances, leaseHeld, leaseChanges,
		linkBound, linkState, linkHeld, linkWindow, linkInUse, linkBinds,
		linkSubmits, linkSegments, linkRefused, linkFaults,
		messengerConnected, messengerBounced, messengerPanics,
		hubAccepted, hubRefused, hubSubmits, hubEnded, hubStored, hubDelivered, hubRepeated, hubReceipts, hubPanics, hubDead, hubKeywords,
		hubDue, hubCame, hubSentAfter, hubDeliveredAfter, hubReceiptAfter, hubMOAfter,
		configOK, configLoaded, configReloads,
	} {
		ch <- f.desc
	}
}

// Collect reads the sources and sends what they say.
func (c *collector) Collect(ch chan<- prometheus.Metric) {
	emit := func(f family, value float64, labels ...string) {
		ch <- prometheus.MustNewConstMetric(f.desc, f.kind, value, labels...)
	}
	if c.Depths != nil {
		c.collectDepths(emit)
	}
	if c.Routes != nil {
		collectRoutes(c.Routes(), emit)
	}
	if c.Records != nil {
		c.collectRecords(emit)
	}
	if c.Stages != nil {
		collectStages(c.Stages(), emit)
	}
	if c.Leases != nil {
		collectLeases(c.Leases(), emit)
	}
	if c.Links != nil {
		collectLinks(c.Links(), emit)
	}
	if c.LinkCounts != nil {
		collectLinkCounts(c.LinkCounts(), emit)
	}
	if c.Messengers != nil {
		for _, m := range c.Messengers() {
			emit(messengerConnected, flag(m.Connected), m.Network)
			emit(messengerBounced, float64(m.Bounced), m.Network)
			emit(messengerPanics, float64(m.Panics), m.Network)
		}
	}
	if c.Config != nil {
		state := c.Config()
		emit(configOK, flag(state.OK))
		emit(configLoaded, float64(state.Loaded.Unix()))
		emit(configReloads, float64(state.Reloads), "applied")
		emit(configReloads, float64(state.Refused), "refused")
	}
	if c.Hub != nil {
		stats := c.Hub()
		collectHub(stats, c.accounts(stats), emit)
		collectRefused(stats.Refused, c.networks(), emit)
		for _, h := range []histogram{
			{hubSentAfter, stats.SentAfter, stats.SentTime, stats.SentTraced},
			{hubDeliveredAfter, stats.DeliveredAfter, stats.DeliveredTime, stats.DeliveredTraced},
			{hubReceiptAfter, stats.ReceiptAfter, stats.ReceiptTime, nil},
			{hubMOAfter, stats.DeliveredMOAfter, stats.DeliveredMOTime, stats.DeliveredMOTraced},
		} {
			ch <- h.metric()
		}
	}
}

type emitter func(f family, value float64, labels ...string)

// collectDepths says queue_up 0 where the queue cannot be read, and nothing else: a
// depth that is not known is not zero.
func (c *collector) collectDepths(emit emitter) {
	ctx, cancel := context.WithTimeout(context.Background(), scrapeTimeout)
	defer cancel()
	depths, err := c.Depths(ctx)
	emit(queueUp, flag(err == nil))
	if err != nil {
		return
	}
	now := time.Now()
	for _, d := range depths {
		emit(queueMessages, float64(d.Messages), d.Stage)
		emit(queueBytes, float64(d.Bytes), d.Stage)
		emit(queueLimit, float64(d.MaxBytes), d.Stage)
		emit(queueOldest, d.oldestAge(now).Seconds(), d.Stage)
	}
}

func collectRoutes(routes []RouteState, emit emitter) {
	now := time.Now()
	for _, r := range routes {
		age := time.Duration(0)
		if !r.OldestAt.IsZero() {
			age = max(0, now.Sub(r.OldestAt))
		}
		emit(routeMessages, float64(r.Waiting), r.Name)
		emit(routeOldest, age.Seconds(), r.Name)
	}
}

// Records are how many there are in the small stores beside the queue.
type Records struct {
	Phones     uint64
	Reassembly uint64
}

// collectRecords says nothing where the store does not answer; queue_up tells that.
func (c *collector) collectRecords(emit emitter) {
	ctx, cancel := context.WithTimeout(context.Background(), scrapeTimeout)
	defer cancel()
	r, err := c.Records(ctx)
	if err != nil {
		return
	}
	emit(recordPhones, float64(r.Phones))
	emit(recordReassembly, float64(r.Reassembly))
}

func collectStages(stages []StageStats, emit emitter) {
	for _, s := range stages {
		emit(stagePublished, float64(s.Published), s.Stage)
		emit(stageAcked, float64(s.Acked), s.Stage)
		emit(stageRetried, float64(s.Retried), s.Stage)
		emit(stagePanics, float64(s.Panics), s.Stage)
		emit(stageDead, float64(s.Dead), s.Stage)
	}
}

func collectLeases(l LeaseCounts, emit emitter) {
	emit(leaseInstances, float64(l.Instances))
	emit(leaseHeld, float64(l.Here), "here")
	emit(leaseHeld, float64(l.Elsewhere), "elsewhere")
	emit(leaseHeld, float64(l.Nobody), "nobody")
	emit(leaseChanges, float64(l.Taken), "taken")
	emit(leaseChanges, float64(l.Given), "given")
	emit(leaseChanges, float64(l.Lost), "lost")
}

func collectLinks(links []LinkState, emit emitter) {
	for _, l := range links {
		emit(linkBound, flag(l.bound()), l.Name, l.Account)
		for _, state := range LinkStatuses() {
			emit(linkState, flag(l.Status == state), l.Name, l.Account, state)
		}
		emit(linkHeld, flag(l.Held), l.Name, l.Account)
		emit(linkWindow, float64(l.Window), l.Name, l.Account)
		emit(linkInUse, float64(l.InUse), l.Name, l.Account)
		emit(linkBinds, float64(l.Binds), l.Name, l.Account)
	}
}

func collectLinkCounts(links []LinkCounts, emit emitter) {
	for _, l := range links {
		for _, o := range bridge.Outcomes() {
			emit(linkSubmits, float64(l.Submits[o]), l.Name, l.Account, string(o))
		}
		emit(linkSegments, float64(l.Segments), l.Name, l.Account)
		emit(linkRefused, float64(l.MORefused), l.Name, l.Account)
		f := l.Faults
		for fault, n := range map[string]uint64{
			"response_timeout": f.ResponseTimeouts, "late_response": f.LateResponses, "stray_response": f.StrayResponses,
			"malformed": f.Malformed, "unknown_command": f.UnknownCommands, "panic": f.Panics,
		} {
			emit(linkFaults, float64(n), l.Name, l.Account, fault)
		}
	}
}

func flag(on bool) float64 {
	if on {
		return 1
	}
	return 0
}
