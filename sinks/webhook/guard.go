package webhook

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"syscall"
	"time"

	"github.com/evertdb/evert/pipeline"
)

// maxRedirects bounds the redirects of one attempt.
const maxRedirects = 3

// redirects follows an endpoint to another path of its own, with the same method
// and body, and nowhere else (X09): the signature, the headers and the rows are
// for it alone.
func redirects(next *http.Request, via []*http.Request) error {
	first := via[0].URL
	switch {
	case len(via) > maxRedirects:
		return redirect("the endpoint redirects without end")
	case next.Method != http.MethodPost:
		return redirect("the endpoint redirects to be read, not to be sent to")
	case next.URL.Scheme != first.Scheme || next.URL.Host != first.Host:
		return redirect("the endpoint redirects to another host, which is not followed")
	}
	return nil
}

func redirect(what string) *pipeline.Refusal {
	return &pipeline.Refusal{Code: CodeRedirect, What: what, Mend: "write the address that it redirects to as url, if that is where the rows may go"}
}

// dialer connects to every address but those that no endpoint has. It looks at
// them after the name was resolved, so that a name cannot hide one.
func dialer(linkLocal bool) func(ctx context.Context, network, address string) (net.Conn, error) {
	d := net.Dialer{Timeout: 10 * time.Second, KeepAlive: 30 * time.Second}
	d.Control = func(_, address string, _ syscall.RawConn) error {
		return allowed(address, linkLocal)
	}
	return d.DialContext
}

// allowed is a Refusal for an address that is not called.
func allowed(address string, linkLocal bool) error {
	at, err := netip.ParseAddrPort(address)
	if err != nil {
		return err
	}
	ip := at.Addr().Unmap().WithZone("")
	if ip.IsMulticast() || ip.IsUnspecified() || !linkLocal && (ip.IsLinkLocalUnicast() || isMetadata(ip)) {
		return &pipeline.Refusal{Code: CodeAddress, What: fmt.Sprintf("%v is not called: link-local addresses are where clouds keep credentials", ip),
			Mend: "write another url; or, if the endpoint is really there, link_local: true beside it"}
	}
	return nil
}

// isMetadata reports whether a cloud serves its metadata at an address that is not
// link-local.
func isMetadata(ip netip.Addr) bool {
	switch ip.String() {
	case "fd00:ec2::254", "fd20:ce::254", "100.100.100.200", "192.0.0.192", "168.63.129.16":
		return true
	}
	return false
}
