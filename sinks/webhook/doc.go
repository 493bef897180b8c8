// Package webhook delivers to an HTTP endpoint: it is sent every change, in
// batches, by POST.
//
//	Write ─► lanes by key ─► requests ─► the endpoint
//	                 Commit: all are answered, then the place is kept
//
// # A request
//
// The body is a JSON array of events, or a line for each (NDJSON); what an event
// says is in pipeline/deliver/event. The headers:
//
//	Content-Type        application/json, or application/x-ndjson
//	Idempotency-Key     names the batch; the same batch has the same, whenever it is sent
//	webhook-id          the same
//	webhook-timestamp   when this attempt was made, in seconds since 1970
//	webhook-signature   v1,<base64>, one for each secret, with a space between
//
// The signature is that of Standard Webhooks: HMAC-SHA256 with the secret over
// id.timestamp.body, three texts with a full stop between. A secret that begins
// with whsec_ is the base64 of its bytes; any other is its bytes. While secrets
// are exchanged there are two, and a receiver that knows either can verify. A
// receiver refuses timestamps that are more than a few minutes away from its own
// clock, so that nobody can send an old request again.
//
// The key is made from the places of the events in the log; where transforms need old rows,
// and one place may have several events, from the events too. Batches are cut by
// rows, bytes and commits, so after a crash what was not kept may come in other
// cuts: who must not do anything twice looks at the place of each event, or its rank. Dead
// letters that are delivered once more come with their own places, below those of
// later events, and with the header "evert-replay" in the event.
//
// # Order
//
// A request is answered before the next one is sent, so events come in the order
// of the log. With in_flight above 1, that many go at once, each with the keys of
// its own: events of one key still come in order (I4), those of two may not.
//
// # Answers
//
//	2xx                            taken
//	408, 425, 429, 5xx, no answer  sent again, later each time; Retry-After is obeyed
//	301 to 308                     307 and 308 to the same scheme, host and port are followed; all else stops the sink (X09)
//	401, 403, 404, 405, 407, 410   the endpoint is not ours to call: stops the sink, whatever on_reject says
//	413, and every other 4xx       halved until the one event is found that is not taken, which goes to Rejects
//
// Without an answer in retry_for the sink fails and is started anew, at the place
// that was kept.
//
// # What it calls
//
// The address is the one of the file, and nothing of a row is ever an address.
// Link-local addresses (where clouds keep credentials) are refused after the name
// was resolved, unless link_local is true. No proxy of the environment is used.
//
// # What it cannot do
//
// What is sent is sent: events are seen before the commit, come again after a
// crash, and a fill is seen row by row ("filling":true). An older process that was
// replaced may still send events that are in its hands, and keeps no place; a
// receiver that looks at places leaves them out.
package webhook
