// Package ops tells operators how the daemon is: health, metrics and the admin API,
// over one HTTP listener.
//
//	GET /livez                        200 while the process serves at all
//	GET /readyz                       200, or 503 with the reasons; JSON either way
//	GET /metrics                      Prometheus
//	GET /                             a page for operators, of the files in static
//	GET /admin/v1/findings            what is wrong, in words ([Findings])
//	GET /admin/v1/history             the last hour in samples ([Hour])
//	GET /admin/v1/queue               what waits in each stage of the queue
//	GET /admin/v1/links               how the links are, and what waits for each route
//	GET /admin/v1/messages/{id}       the whole story of a message
//	GET /admin/v1/lookup?address=A    who is behind a phone, a handle or a Number
//
// [History] samples the rooms, and diagnose says of its samples and of the states of
// now what is wrong, by rules alone.
//
// [New] listens and [Server.Run] serves. [NewRegistry] turns snapshots of the other
// rooms into metrics when Prometheus asks; ops imports no adapter, and so the one who
// wires hands in functions. Errors are application/problem+json (RFC 9457).
//
// The listener speaks plain text and knows no passwords: it is a loopback one unless
// [Config] says insecure. Look-ups show phone numbers, as the operator asked; metrics
// and logs never do.
package ops
