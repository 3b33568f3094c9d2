// Package web is the bridge's own messenger: a page for people and, under it, a
// small HTTP API that any program may use.
//
// A message belongs to its Handle, web:<user>. [Server] hands what a user writes to
// the hub, and answers 202 only once the hub says that it is on disk. Nothing is
// pushed the other way: texts and statuses reach a user by following the log of
// the user's conversations ([Log.Follow]), so that a page which was away misses
// nothing and a user who is away costs nothing.
//
// People sign in by name and password (argon2id, RFC 9106) and get a signed cookie
// (RFC 6265, 4.1), programs bring a bearer token (RFC 6750, 2.1). Errors are problem
// documents (RFC 9457) with a reason from a closed set; the live events are
// server-sent events (WHATWG HTML, 9.2); statuses and header fields are those of
// RFC 9110. docs/openapi.yaml describes all of it, and the tests hold every request
// and answer to that document.
//
// The page under static/ is plain modules, CSS and SVG: it is embedded as it is
// written, uses nothing but the API, and runs under a policy that allows no script
// and no style from anywhere else (W3C CSP Level 3).
package web
