package bleve

import (
	"bytes"
	"encoding/binary"
	"hash/fnv"
	"math"
	"math/bits"
	"os"
)

// rootFile is the library's list of what belongs to an index: a file of bbolt,
//
//	page 0, 1   meta: written in turn; the whole one with the higher txid counts
//	page n      branch, leaf or freelist, with its overflow pages behind it
//
//	page        id u64 | flags u16 | count u16 | overflow u32 | elements | keys and values
//	meta        magic u32 | version u32 | page size u32 | flags u32 | root u64 | sequence u64 |
//	            freelist u64 | high water u64 | txid u64 | FNV-1a of what stands before it u64
//	branch      pos u32 | key size u32 | page u64                      pos counts from the element
//	leaf        flags u32 | pos u32 | key size u32 | value size u32    flags 1: the value is a bucket
//	bucket      root u64 | sequence u64 | if root is 0: a leaf page
//	freelist    an id u64 for each free page; when count is 0xffff the first one is the count
//
// in the byte order of the machine. bbolt believes what its pages say: a billion
// overflow pages it frees one by one in memory, and it follows a tree that bites its
// tail for ever.
const rootFile = "root.bolt"

const (
	pageHeader   = 16
	elementSize  = 16
	bucketHeader = 16
	metaPages    = 2

	metaRoot     = 16
	metaFreelist = 32
	metaHigh     = 40
	metaTxid     = 48
	metaSum      = 56
	metaSize     = 64

	branchPage   = 0x01
	leafPage     = 0x02
	freelistPage = 0x10
	bucketFlag   = 0x01

	manyFree   = math.MaxUint16
	noFreelist = math.MaxUint64
)

// A pageTree is a file of bbolt under examination: every page has one owner,
// everything lies within its page, and keys ascend.
type pageTree struct {
	data     []byte
	pageSize uint64
	high     uint64 // the first id that is no page
	owned    map[uint64]struct{}
}

// checkRoot holds every page that a file of bbolt uses to the format. The file is
// small and is read as a whole.
func checkRoot(path string, pageSize int) error {
	data, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	t := &pageTree{data: data, pageSize: uint64(pageSize), owned: map[uint64]struct{}{}}
	meta := t.meta()
	if meta == nil {
		return torn("%s has no whole meta page", rootFile)
	}
	if t.high = u64(meta[metaHigh:]); t.high > uint64(len(data))/t.pageSize {
		return torn("%s is cut off", rootFile)
	}
	if err := t.tree(u64(meta[metaRoot:]), nil, nil); err != nil {
		return err
	}
	return t.freelist(u64(meta[metaFreelist:]))
}

// meta gives the meta page that counts, nil if there is none.
func (t *pageTree) meta() (newest []byte) {
	for id := range uint64(metaPages) {
		at := id*t.pageSize + pageHeader
		if at+metaSize > uint64(len(t.data)) {
			break
		}
		meta, sum := t.data[at:][:metaSize], fnv.New64a()
		_, _ = sum.Write(meta[:metaSum])
		whole := sum.Sum64() == u64(meta[metaSum:])
		if whole && (newest == nil || u64(meta[metaTxid:]) > u64(newest[metaTxid:])) {
			newest = meta
		}
	}
	return newest
}

// tree checks what is below a page, whose keys lie in [from, to); nil is no bound.
func (t *pageTree) tree(id uint64, from, to []byte) error {
	p, err := t.take(id, branchPage|leafPage)
	if err != nil {
		return err
	}
	elements, err := elementsOf(p, from, to)
	if err != nil {
		return torn("page %d of %s: %v", id, rootFile, err)
	}
	if p.kind() == leafPage {
		return t.buckets(elements)
	}
	for i, e := range elements {
		end := to
		if i+1 < len(elements) {
			end = elements[i+1].key
		}
		if err := t.tree(e.child, e.key, end); err != nil {
			return err
		}
	}
	return nil
}

// buckets checks the values of a leaf that are buckets.
func (t *pageTree) buckets(leaf []element) error {
	for _, e := range leaf {
		switch {
		case e.flags == 0:
		case e.flags != bucketFlag, len(e.value) < bucketHeader:
			return torn("%s holds what is neither a value nor a bucket", rootFile)
		case u64(e.value) != 0:
			if err := t.tree(u64(e.value), nil, nil); err != nil {
				return err
			}
		default:
			if err := t.inline(e.value[bucketHeader:]); err != nil {
				return err
			}
		}
	}
	return nil
}

// inline checks a bucket whose only page, a leaf, is a value of another.
func (t *pageTree) inline(p page) error {
	if len(p) < pageHeader || p.kind() != leafPage || p.overflow() != 0 {
		return torn("%s holds a bucket that is none", rootFile)
	}
	leaf, err := elementsOf(p, nil, nil)
	if err != nil {
		return torn("a bucket in %s: %v", rootFile, err)
	}
	for _, e := range leaf {
		if e.flags != 0 {
			return torn("%s holds a bucket in a bucket that has no room for one", rootFile)
		}
	}
	return nil
}

// freelist checks the list of free pages: each is there, and none is in use.
func (t *pageTree) freelist(id uint64) error {
	if id == noFreelist {
		return nil
	}
	p, err := t.take(id, freelistPage)
	if err != nil {
		return err
	}
	n, ids := uint64(p.count()), p[pageHeader:]
	if n == manyFree {
		n, ids = u64(ids), ids[8:]
	}
	if n > uint64(len(ids))/8 {
		return torn("the list of free pages in %s is longer than its page", rootFile)
	}
	for i := range n {
		if err := t.own(u64(ids[8*i:]), 1); err != nil {
			return err
		}
	}
	return nil
}

// take owns the page id with its overflow pages, and gives their bytes.
func (t *pageTree) take(id uint64, kinds uint16) (p page, err error) {
	if err := t.own(id, 1); err != nil {
		return nil, err
	}
	p = t.data[id*t.pageSize:]
	if u64(p) != id || p.kind()&^kinds != 0 || bits.OnesCount16(p.kind()) != 1 {
		return nil, torn("page %d of %s is another", id, rootFile)
	}
	if err := t.own(id+1, uint64(p.overflow())); err != nil {
		return nil, err
	}
	return p[:(1+uint64(p.overflow()))*t.pageSize], nil
}

// own notes that n pages from id on have an owner now.
func (t *pageTree) own(id, n uint64) error {
	if id < metaPages || id > t.high || n > t.high-id {
		return torn("%s has no page %d", rootFile, id)
	}
	for ; n > 0; id, n = id+1, n-1 {
		if _, twice := t.owned[id]; twice {
			return torn("page %d of %s is used twice", id, rootFile)
		}
		t.owned[id] = struct{}{}
	}
	return nil
}

// An element is what one of a page's elements points to.
type element struct {
	flags      uint32 // of a leaf
	child      uint64 // of a branch
	key, value []byte
}

// elementsOf gives the elements of a branch or leaf page, whose keys lie in
// [from, to) and ascend.
func elementsOf(p page, from, to []byte) ([]element, error) {
	n := int(p.count())
	heap := pageHeader + n*elementSize
	if heap > len(p) {
		return nil, torn("it has more elements than room")
	}
	all := make([]element, n)
	for i := range all {
		at := pageHeader + i*elementSize
		e, ok := elementAt(p, at, heap)
		if !ok {
			return nil, torn("element %d lies outside of it", i)
		}
		if i > 0 && bytes.Compare(e.key, all[i-1].key) <= 0 || bytes.Compare(e.key, from) < 0 || to != nil && bytes.Compare(e.key, to) >= 0 {
			return nil, torn("the key of element %d is out of order", i)
		}
		all[i] = e
	}
	return all, nil
}

// elementAt reads the element at a place of a page; keys and values lie from heap on.
func elementAt(p page, at, heap int) (e element, ok bool) {
	var pos, key, value uint64
	if b := p[at:]; p.kind() == leafPage {
		e.flags, pos, key, value = u32(b), uint64(u32(b[4:])), uint64(u32(b[8:])), uint64(u32(b[12:]))
	} else {
		pos, key, e.child = uint64(u32(b)), uint64(u32(b[4:])), u64(b[8:])
	}
	from := uint64(at) + pos
	if key == 0 || from < uint64(heap) || from+key+value > uint64(len(p)) {
		return e, false
	}
	e.key, e.value = p[from:][:key:key], p[from+key:][:value:value]
	return e, true
}

// A page is the bytes of a page with its overflow pages.
type page []byte

func (p page) kind() uint16     { return binary.NativeEndian.Uint16(p[8:]) }
func (p page) count() uint16    { return binary.NativeEndian.Uint16(p[10:]) }
func (p page) overflow() uint32 { return u32(p[12:]) }

func u32(b []byte) uint32 { return binary.NativeEndian.Uint32(b) }
func u64(b []byte) uint64 { return binary.NativeEndian.Uint64(b) }
