package codes

// ofWebhook are the codes of sinks that call an HTTP endpoint.
func ofWebhook() []Entry {
	return []Entry{
		{
			Code:    "WEBHOOK_AWAY",
			Text:    "The endpoint of a webhook gave no answer in timeout, or said that it is busy or broken (408, 425, 429, 5xx), and went on so for retry_for, or asked for a longer pause than retry_after_max. The sink begins again behind its last commit, by itself, with longer and longer pauses. Nothing is lost meanwhile: the log holds it. What was sent since the last commit is sent again.",
			Mend:    "Look at the endpoint. `evert status` says how far behind the sink is.",
			Passing: true,
		},
		{
			Code: "WEBHOOK_REFUSED",
			Text: "The endpoint of a webhook answers 401, 403, 404, 405, 407 or 410: it takes nothing from us, whatever the rows. The sink stops, and no row counts as rejected.",
			Mend: "Correct url, secret or headers of the webhook in the file, or let the endpoint take POST requests from here. The sink goes on with the next start.",
		},
		{
			Code: "WEBHOOK_REJECTED",
			Text: "The endpoint of a webhook does not take one event: it answered 400, 409, 413, 422 or another 4xx to it alone, after the batch was halved until it was found. With on_reject: stop, which is the default, the sink stops before it, and the events around it were sent.",
			Mend: "Make the endpoint take the event; the place in the message says which record it is. Or write on_reject: dead_letter below the sink, which keeps such records in a topic and goes on.",
		},
		{
			Code: "WEBHOOK_REDIRECT",
			Text: "The endpoint of a webhook redirects to another host, to another scheme, or to a request that is not a POST. That is not followed: rows, signature and headers are for the address in the file alone.",
			Mend: "Write the address that it redirects to as url, if that is where the rows may go.",
		},
		{
			Code: "WEBHOOK_ADDRESS",
			Text: "The url of a webhook leads to an address that is not called: a link-local one or another at which clouds hand out credentials, a multicast address, or none.",
			Mend: "Write another url. If the endpoint really has a link-local address, write link_local: true beside it.",
		},
		{
			Code: "WEBHOOK_SECRET",
			Text: "The address, a secret or a header of a webhook cannot be used: a file that it names cannot be read, or a secret that begins with whsec_ is not base64.",
			Mend: "Correct it in the file, or the file that it names.",
		},
	}
}
