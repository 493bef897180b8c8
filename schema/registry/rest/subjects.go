package rest

import (
	"net/http"
	"slices"

	"github.com/evertdb/evert/schema/registry"
)

func (h handler) subjects(r *http.Request) (any, error) {
	prefix, err := prefixOf(r)
	if err != nil {
		return nil, err
	}
	deletedOnly := flag(r, "deletedOnly")
	all, err := h.Versions(r.Context(), prefix, deletedOnly || flag(r, "deleted"))
	if err != nil {
		return nil, err
	}
	list := names(all)
	if deletedOnly {
		live, err := h.Versions(r.Context(), prefix, false)
		if err != nil {
			return nil, err
		}
		list = slices.DeleteFunc(list, func(name string) bool { return slices.Contains(names(live), name) })
	}
	return window(r, list), nil
}

// of gives the versions of the subject of a path, of which there is one at
// least.
func (h handler) of(r *http.Request, deleted bool) ([]registry.Version, error) {
	subject, err := subjectOf(r)
	if err != nil {
		return nil, err
	}
	if _, err := h.Version(r.Context(), subject, registry.Newest, deleted); err != nil {
		return nil, err
	}
	all, err := h.Versions(r.Context(), subject, deleted)
	return slices.DeleteFunc(all, func(v registry.Version) bool { return v.Subject != subject }), err
}

func (h handler) versions(r *http.Request) (any, error) {
	deletedOnly := flag(r, "deletedOnly")
	all, err := h.of(r, deletedOnly || flag(r, "deleted"))
	if err != nil {
		return nil, err
	}
	numbers := []int{}
	for _, v := range all {
		if v.Deleted || !deletedOnly {
			numbers = append(numbers, v.Number)
		}
	}
	return window(r, numbers), nil
}

// one gives the version of a path.
func (h handler) one(r *http.Request, deleted bool) (registry.Version, error) {
	subject, err := subjectOf(r)
	if err != nil {
		return registry.Version{}, err
	}
	number, err := versionOf(r)
	if err != nil {
		return registry.Version{}, err
	}
	return h.Version(r.Context(), subject, number, deleted)
}

func (h handler) version(r *http.Request) (any, error) {
	v, err := h.one(r, flag(r, "deleted"))
	return answerOf(v), err
}

func (h handler) versionText(r *http.Request) (any, error) {
	v, err := h.one(r, flag(r, "deleted"))
	return plain(v.Text), err
}

func (h handler) referencedBy(r *http.Request) (any, error) {
	v, err := h.one(r, true)
	if err != nil {
		return nil, err
	}
	ids, err := h.Referrers(r.Context(), v.Subject, v.Number)
	return window(r, ids), err
}

// asked gives subject and schema of a request.
func asked(r *http.Request) (string, registry.Proposal, error) {
	subject, err := subjectOf(r)
	if err != nil {
		return "", registry.Proposal{}, err
	}
	p, err := proposalOf(r)
	return subject, p, err
}

func (h handler) register(r *http.Request) (any, error) {
	subject, p, err := asked(r)
	if err != nil {
		return nil, err
	}
	v, err := h.Add(r.Context(), subject, p)
	return struct {
		ID int `json:"id"`
	}{v.ID}, err
}

func (h handler) lookup(r *http.Request) (any, error) {
	subject, p, err := asked(r)
	if err != nil {
		return nil, err
	}
	v, err := h.Find(r.Context(), subject, p.Schema, flag(r, "deleted"))
	return answerOf(v), err
}

func (h handler) deleteSubject(r *http.Request) (any, error) {
	subject, err := subjectOf(r)
	if err != nil {
		return nil, err
	}
	return h.Local.DeleteSubject(r.Context(), subject, flag(r, "permanent"))
}

func (h handler) deleteVersion(r *http.Request) (any, error) {
	subject, err := subjectOf(r)
	if err != nil {
		return nil, err
	}
	number, err := versionOf(r)
	if err != nil {
		return nil, err
	}
	return h.Local.DeleteVersion(r.Context(), subject, number, flag(r, "permanent"))
}

func (h handler) compatible(r *http.Request) (any, error) {
	subject, p, err := asked(r)
	if err != nil {
		return nil, err
	}
	number, err := versionOf(r)
	if err != nil {
		return nil, err
	}
	messages, err := h.Compare(r.Context(), subject, number, p)
	answer := struct {
		Compatible bool      `json:"is_compatible"`
		Messages   *[]string `json:"messages,omitempty"`
	}{Compatible: len(messages) == 0}
	if flag(r, "verbose") {
		if messages == nil {
			messages = []string{}
		}
		answer.Messages = &messages
	}
	return answer, err
}
