package mysql

import (
	"context"
	"time"
)

// A TableName names a table in the catalog's exact case.
type TableName struct{ Database, Table string }

// Config says what to capture and within which bounds.
type Config struct {
	URL            func(ctx context.Context) (string, error)
	ConnectTimeout time.Duration
}
