package pgserver

import (
	"fmt"
	"path"
)

// bundleVersion is Postgres's version and the packager's own revision.
const bundleVersion = "17.11.0"

// A Bundle is one archive of server binaries on a Maven repository, known by
// its checksum: a jar (zip) that holds one tar compressed with xz, which holds
// bin/, lib/ and share/.
type Bundle struct {
	Artifact string // the last part of its Maven coordinates
	Version  string
	SHA256   string // of the jar, hexadecimal
	Bytes    int64  // of the jar; nothing beyond is read
}

// pinned gives the bundle for a platform.
func pinned(goos, goarch string) (Bundle, error) {
	b := Bundle{Version: bundleVersion}
	switch goos + "/" + goarch {
	case "linux/amd64":
		b.Artifact, b.Bytes = artifact("linux-amd64"), 14987378
		b.SHA256 = "0dd7b72b6f335b8ecfb355fa24c5781e8a93edd09880bb77eb52ebbf29b3e96d"
	case "linux/arm64":
		b.Artifact, b.Bytes = artifact("linux-arm64v8"), 14015430
		b.SHA256 = "8b042e0ea418b1927d95399207950da0734d27fe01e29503ade3bdc464ad4c2b"
	case "darwin/amd64":
		b.Artifact, b.Bytes = artifact("darwin-amd64"), 62141006
		b.SHA256 = "d464ff178e9860ba204662ac23fa547504b7fd392392ff2fb92e3fd73b5bdb64"
	case "darwin/arm64":
		b.Artifact, b.Bytes = artifact("darwin-arm64v8"), 62141006
		b.SHA256 = "a1c2786acb0c398f9b2d76806fc52f5dc8b222cbc8e9383a9b9702084daaf3a5"
	case "windows/amd64":
		b.Artifact, b.Bytes = artifact("windows-amd64"), 23812556
		b.SHA256 = "98040fae18dd9633ff95932125b0cecf0a45a1a9312e216e2a33ad03a31d4251"
	default:
		return Bundle{}, fmt.Errorf("no Postgres bundle for %s/%s: %w\n  mend: %s", goos, goarch, ErrNotFound, InstallHint())
	}
	return b, nil
}

func artifact(platform string) string { return "embedded-postgres-binaries-" + platform }

// path of the jar below the root of a Maven repository; ~/.m2 has the same shape.
func (b Bundle) path() string {
	return path.Join("io/zonky/test/postgres", b.Artifact, b.Version, b.Artifact+"-"+b.Version+".jar")
}

// folder names the unpacked bundle in the cache; the checksum is part of it, so
// that another pin is another folder.
func (b Bundle) folder() string {
	return fmt.Sprintf("postgres-%s-%.8s", b.Version, b.SHA256)
}
