package bleve

import (
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"go.etcd.io/bbolt"
)

// S09: whatever bbolt writes is believed; a page that says what cannot be is not,
// before bbolt frees a billion pages by it or walks in circles.
func TestRootFile(t *testing.T) {
	t.Run("what bbolt writes, after every commit", func(t *testing.T) {
		db, rng := program(t, 300)
		for range 200 {
			check(db.Update(func(tx *bbolt.Tx) error { return mix(tx, rng) }))
			if err := checkRoot(db.Path(), db.Info().PageSize); err != nil {
				t.Fatal(err)
			}
		}
	})

	t.Run("S09 one damage", func(t *testing.T) {
		db, _ := program(t, 2000)
		whole, err := os.ReadFile(db.Path())
		check(err)
		size := db.Info().PageSize
		for _, c := range []struct {
			name string
			hurt func(*pageTree)
			want string
		}{
			{"a billion overflow pages of a leaf", set32(leafPage, 12, 1<<30), "has no page"},
			{"a billion overflow pages of the freelist", set32(freelistPage, 12, 1<<30), "has no page"},
			{"one overflow page more", (*pageTree).reach, ""}, // another's, or one beyond the end
			{"a page that is another", set32(leafPage, 0, 1<<20), "is another"},
			{"a page of two kinds", set16(leafPage, 8, leafPage|branchPage), "is another"},
			{"more elements than room", set16(leafPage, 10, 60_000), "more elements than room"},
			{"an element that points outside", set32(leafPage, pageHeader+4, 1<<31), "outside"},
			{"an element that points to elements", set32(leafPage, pageHeader+4, 4), "outside"},
			{"a value without an end", set32(leafPage, pageHeader+12, 1<<31), "outside"},
			{"a tree that bites its tail", (*pageTree).biteTail, "used twice"},
			{"a child beyond the end", set32(branchPage, pageHeader+8, 1<<30), "has no page"},
			{"a free page that is in use", (*pageTree).freeUsed, "used twice"},
			{"more free pages than listed", set16(freelistPage, 10, 60_000), "longer than its page"},
			{"a file cut off", func(t *pageTree) { t.data = t.data[:(u64(t.meta()[metaHigh:])-1)*t.pageSize] }, "cut off"},
			{"no meta page", func(t *pageTree) { clear(t.data[:2*t.pageSize]) }, "no whole meta page"},
		} {
			t.Run(c.name, func(t *testing.T) {
				hurt := &pageTree{data: slices.Clone(whole), pageSize: uint64(size)}
				c.hurt(hurt)
				path := filepath.Join(t.TempDir(), rootFile)
				check(os.WriteFile(path, hurt.data, 0o600))
				if err := checkRoot(path, size); !isTorn(err) || !strings.Contains(err.Error(), c.want) {
					t.Errorf("%v, want %q", err, c.want)
				}
			})
		}
	})
}

// program makes a file of bbolt with buckets of every kind.
func program(t *testing.T, keys int) (*bbolt.DB, *rand.Rand) {
	t.Helper()
	db, err := bbolt.Open(filepath.Join(t.TempDir(), rootFile), 0o600, &bbolt.Options{NoSync: true})
	check(err)
	t.Cleanup(func() { _ = db.Close() })
	seed := uint64(time.Now().UnixNano())
	if s, err := strconv.ParseUint(os.Getenv("EVERT_SEED"), 10, 64); err == nil {
		seed = s
	}
	t.Logf("seed %d (EVERT_SEED)", seed)
	rng := rand.New(rand.NewPCG(seed, 16))
	for range 3 {
		check(db.Update(func(tx *bbolt.Tx) error {
			for range keys / 3 {
				if err := mix(tx, rng); err != nil {
					return err
				}
			}
			return nil
		}))
	}
	return db, rng
}

// mix puts or deletes a value, a large one now and then, or a bucket, in a bucket or
// in one within it.
func mix(tx *bbolt.Tx, rng *rand.Rand) error {
	b, err := tx.CreateBucketIfNotExists([]byte{byte('a' + rng.IntN(3))})
	if err == nil && rng.IntN(2) == 0 {
		b, err = b.CreateBucketIfNotExists(fmt.Appendf(nil, "nested%d", rng.IntN(5)))
	}
	if err != nil {
		return err
	}
	key := fmt.Appendf(nil, "key%d", rng.IntN(1000))
	switch rng.IntN(10) {
	case 0, 1, 2:
		return b.Delete(key)
	case 3:
		return b.Put(key, make([]byte, rng.IntN(20_000)))
	}
	return b.Put(key, make([]byte, rng.IntN(200)))
}

func check(err error) {
	if err != nil {
		panic(err)
	}
}

// used gives the bytes of a page in use of a kind with at least one element.
func (t *pageTree) used(kind uint16) page {
	meta := t.meta()
	t.high, t.owned = u64(meta[metaHigh:]), map[uint64]struct{}{}
	check(t.tree(u64(meta[metaRoot:]), nil, nil))
	check(t.freelist(u64(meta[metaFreelist:])))
	if kind == freelistPage {
		return page(t.data[u64(meta[metaFreelist:])*t.pageSize:])
	}
	free := t.freePages()
	for id := uint64(metaPages); id < t.high; id++ {
		p := page(t.data[id*t.pageSize:])
		_, used := t.owned[id]
		if used && !slices.Contains(free, id) && u64(p) == id && p.kind() == kind && p.count() > 1 {
			return p
		}
	}
	panic("no such page")
}

func (t *pageTree) freePages() (ids []uint64) {
	list := page(t.data[u64(t.meta()[metaFreelist:])*t.pageSize:])
	for i := range int(list.count()) {
		ids = append(ids, u64(list[pageHeader+8*i:]))
	}
	return ids
}

func set16(kind uint16, at int, v uint16) func(*pageTree) {
	return func(t *pageTree) { binary.NativeEndian.PutUint16(t.used(kind)[at:], v) }
}

func set32(kind uint16, at int, v uint32) func(*pageTree) {
	return func(t *pageTree) { binary.NativeEndian.PutUint32(t.used(kind)[at:], v) }
}

// reach makes a leaf one page longer than it is.
func (t *pageTree) reach() {
	p := t.used(leafPage)
	binary.NativeEndian.PutUint32(p[12:], p.overflow()+1)
}

// biteTail makes a branch its own child.
func (t *pageTree) biteTail() {
	p := t.used(branchPage)
	binary.NativeEndian.PutUint64(p[pageHeader+8:], u64(p))
}

// freeUsed lists a page as free that is not.
func (t *pageTree) freeUsed() {
	binary.NativeEndian.PutUint64(t.used(freelistPage)[pageHeader:], u64(t.used(leafPage)))
}
