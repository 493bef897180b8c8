package opensearch_test

import (
	"bytes"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/evertdb/evert/sinks/opensearch"
)

// TestSigV4: the signatures that AWS published for its Signature Version 4 test
// suite.
func TestSigV4(t *testing.T) {
	for _, c := range []struct {
		name, method, url string
		want              string
	}{
		{"get-vanilla", http.MethodGet, "https://example.amazonaws.com/", "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31"},
		{"get-vanilla-query-order-key-case", http.MethodGet, "https://example.amazonaws.com/?Param2=value2&Param1=value1", "b97d918cfa904a5beff61c982a1b6f458b799221646efd99d3219ec94cdf2500"},
		{"post-vanilla", http.MethodPost, "https://example.amazonaws.com/", "5da7c1a2acd57cee7505fc6676e4e544621c30862966e37dddb68e92efbe5d6b"},
	} {
		auth := opensearch.SigV4{
			AccessKey: "AKIDEXAMPLE", SecretKey: "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY", Region: "us-east-1", Service: "service",
			Now: func() time.Time { return time.Date(2015, 8, 30, 12, 36, 0, 0, time.UTC) },
		}
		r, err := http.NewRequest(c.method, c.url, nil)
		if err != nil {
			t.Fatal(err)
		}
		if err := auth.Authorize(r, nil); err != nil {
			t.Fatal(err)
		}
		got := r.Header.Get("Authorization")
		want := "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/service/aws4_request, SignedHeaders=host;x-amz-date, Signature=" + c.want
		if got != want {
			t.Errorf("%s:\n%s, want\n%s", c.name, got, want)
		}
	}
}

// TestSigV4Body: the body counts, a session's token is sent, and OpenSearch
// Serverless gets the hash of the body, too.
func TestSigV4Body(t *testing.T) {
	sign := func(body, service string) http.Header {
		auth := opensearch.SigV4{AccessKey: "AK", SecretKey: "sk", SessionToken: "token", Region: "eu-central-1", Service: service, Now: func() time.Time { return time.Unix(0, 0) }}
		r, err := http.NewRequest(http.MethodPost, "https://search.example.com/items-1-WRITER-x/_bulk?require_alias=true", bytes.NewReader([]byte(body)))
		if err != nil {
			t.Fatal(err)
		}
		if err := auth.Authorize(r, []byte(body)); err != nil {
			t.Fatal(err)
		}
		return r.Header
	}
	one, other, serverless := sign("{}", "es"), sign("{ }", "es"), sign("{}", "aoss")
	if one.Get("Authorization") == other.Get("Authorization") {
		t.Error("the body is not signed")
	}
	if one.Get("X-Amz-Security-Token") != "token" || !strings.Contains(one.Get("Authorization"), "x-amz-security-token") {
		t.Errorf("the token is not signed: %v", one)
	}
	if got := serverless.Get("X-Amz-Content-Sha256"); got != "44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a" {
		t.Errorf("the hash of the body is %q", got)
	}
}
