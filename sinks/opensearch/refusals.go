package opensearch

import (
	"fmt"
	"regexp"

	"github.com/evertdb/evert/pipeline"
)

const (
	codeVersion pipeline.Code = "OPENSEARCH_VERSION" // the server is not one that is delivered to
	codeDenied  pipeline.Code = "OPENSEARCH_DENIED"  // no right to do it
	codeBlocked pipeline.Code = "OPENSEARCH_BLOCKED" // a block on the index or the cluster
	codeBusy    pipeline.Code = "OPENSEARCH_BUSY"    // away, full, or busy for longer than Options.Patience
	codeAnswer  pipeline.Code = "OPENSEARCH_REFUSED" // an answer that a person has to look at
	codeAlias   pipeline.Code = "OPENSEARCH_ALIAS"   // the name is an index's, or leads to an index of somebody else's
	codeOwned   pipeline.Code = "OPENSEARCH_OWNED"   // another sink delivers there
	codeMissing pipeline.Code = "OPENSEARCH_MISSING" // the index is gone, and the policy is to stop
	codeColumn  pipeline.Code = "OPENSEARCH_COLUMN"  // a column that cannot be a field, or a mapping of no column
	codeMapping pipeline.Code = "OPENSEARCH_MAPPING" // the server does not take the mapping or the settings
	codeRow     pipeline.Code = "OPENSEARCH_ROW"     // the server does not take a row
)

func (o *Options) refuse(code pipeline.Code, what, mend string) *pipeline.Refusal {
	return &pipeline.Refusal{Code: code, Where: "index " + o.Index, What: what, Mend: mend}
}

// action finds what the security plugin says is missing: the names of actions.
var action = regexp.MustCompile(`\[?((?:indices|cluster):[a-z_/\[\]]+)`)

// denied is an answer of 401 or 403. The server's reason names users and roles,
// and only the action is taken from it.
func (o *Options) denied(a *answer) error {
	if a.status == 401 {
		return o.refuse(codeDenied, "the cluster does not know who asks (HTTP 401)", "set username and password, or another way of authentication, below opensearch")
	}
	right := "to create, write and manage "
	if found := action.FindSubmatch(a.body); found != nil {
		right = "(at least " + string(found[1]) + ") on "
	}
	return o.refuse(codeDenied, "the cluster does not allow it (HTTP 403)",
		fmt.Sprintf("grant the user the rights %s%q and %q", right, o.Index, o.Index+"-*"))
}

// odd is an answer that nothing is known about. Reasons can hold row values, so
// the type alone is shown.
func (o *Options) odd(doing string, a *answer) error {
	return o.refuse(codeAnswer, fmt.Sprintf("%s: the cluster answers HTTP %d %s", doing, a.status, a.kind()),
		"look into the cluster's log; what it refuses is named there")
}
