package api

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"

	"github.com/evertdb/evert/cmd/evert/compare"
	"github.com/evertdb/evert/pipeline"
)

// A VerifyRequest asks to compare a table or a view with its database, or a sink
// with what it delivers.
type VerifyRequest struct {
	Name   string `json:"name"`
	Repair bool   `json:"repair,omitempty"` // of a sink: what differs is put right
}

// VerifyProgress says what a comparison does.
type VerifyProgress struct {
	Step string `json:"step"`
	Rows int64  `json:"rows,omitempty"`
}

// Verified is what a comparison found.
type Verified struct {
	Name     string `json:"name"`
	Kind     string `json:"kind"` // table, view or sink
	Source   string `json:"source"`
	Table    string `json:"table,omitempty"` // of a table: SOURCE.SCHEMA.TABLE, by which it is copied again
	Position string `json:"position"`        // of the cut that was compared
	Snapshot string `json:"snapshot"`        // the place of the database's snapshot: the cut holds what was committed before it
	Exact    bool   `json:"exact"`
	compare.Report
	Refused  int64   `json:"refused,omitempty"`  // of a sink: changes that its system does not take, and that were not compared
	Repaired int64   `json:"repaired,omitempty"` // differences that were put right, of a table by copying it again
	Seconds  float64 `json:"seconds"`
}

// verifyLine is one line of the answer: progress, and at last what was found.
type verifyLine struct {
	Progress *VerifyProgress `json:"progress,omitempty"`
	Verified *Verified       `json:"verified,omitempty"`
	Problem  *Problem        `json:"problem,omitempty"`
}

func (h Handlers) verify(w http.ResponseWriter, r *http.Request) {
	var req VerifyRequest
	d := json.NewDecoder(http.MaxBytesReader(w, r.Body, 64<<10))
	d.DisallowUnknownFields()
	if err := d.Decode(&req); err != nil {
		WriteProblem(w, &pipeline.Refusal{Code: CodeBadRequest, What: "the command cannot be read", Err: err, Mend: "use the `evert` of the same version as the daemon"})
		return
	}
	w.Header().Set("Content-Type", "application/x-ndjson")
	out, lines := http.NewResponseController(w), json.NewEncoder(w)
	found, err := h.Daemon.Verify(r.Context(), req, func(p VerifyProgress) {
		_ = lines.Encode(verifyLine{Progress: &p})
		_ = out.Flush()
	})
	if err != nil {
		_ = lines.Encode(verifyLine{Problem: problemOf(err)})
		return
	}
	_ = lines.Encode(verifyLine{Verified: found})
}

// Verify compares a table or a view with its database, or a sink with what it
// delivers; tell hears what is done.
func (c *Client) Verify(ctx context.Context, req VerifyRequest, tell func(VerifyProgress)) (*Verified, error) {
	body, err := jsonBody(req)
	if err != nil {
		return nil, err
	}
	resp, err := c.do(ctx, http.MethodPost, "/v1/verify", body)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	for lines := json.NewDecoder(bufio.NewReader(resp.Body)); ; {
		var line verifyLine
		switch err := lines.Decode(&line); {
		case errors.Is(err, io.EOF):
			return nil, errors.New("the daemon ended before it was done")
		case err != nil:
			return nil, err
		case line.Problem != nil:
			return nil, line.Problem.Refusal()
		case line.Verified != nil:
			return line.Verified, nil
		case line.Progress != nil:
			tell(*line.Progress)
		}
	}
}
