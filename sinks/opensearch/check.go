package opensearch

import (
	"context"
	"fmt"

	"github.com/evertdb/evert/pipeline"
)

// Check asks the cluster for what would keep a target from opening. It changes
// nothing. An error means that it could not be asked.
func Check(ctx context.Context, o Options) ([]pipeline.Finding, error) {
	c, err := newClient(&o)
	if err != nil {
		return nil, err
	}
	defer c.close()
	s, err := c.detect(ctx)
	if err != nil {
		return found(err)
	}
	all, err := c.look(ctx)
	if err != nil {
		return found(err)
	}
	if err := all.guard(&o); err != nil {
		return found(err)
	}
	owner, err := newRegister(c).owner(ctx)
	if err != nil {
		return found(err)
	}
	if owner != "" && owner != o.Owner {
		return found(newRegister(c).owned(owner))
	}
	return []pipeline.Finding{pipeline.Good("index "+o.Index, fmt.Sprintf("%s can be delivered to", s.name()))}, nil
}

// found makes a finding of a refusal; another error stays one.
func found(err error) ([]pipeline.Finding, error) {
	if r, ok := err.(*pipeline.Refusal); ok && r.Code != codeBusy {
		return []pipeline.Finding{{Refusal: r, Severity: pipeline.Fails}}, nil
	}
	return nil, err
}
