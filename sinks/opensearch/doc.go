// Package opensearch delivers rows to OpenSearch and Elasticsearch as documents, by
// the bulk protocol that both speak. It implements pipeline/deliver.Target.
//
//	Open    take the position document (fences), the writer's alias; lanes begin
//	Write   a row ─► _id and document ─► the lane of its _id ─► bulk requests, as they fill
//	Commit  wait for every lane ─► write the position document, if we still hold it
//
// # Documents
//
// A document is the row as pipeline/document writes it: numbers are exact in
// _source as it was sent. (A server that is asked to prettify or to filter _source
// reads them into doubles first.) Its _id is made of the key's values: see appendID.
//
// # Versions
//
// Every operation carries the version of its place in the topic (version_type
// external), so that the newest record of a key wins whatever is sent again, late or
// by whom. A conflict with a version at least as high is success; one index holds one
// incarnation of the topic alone, so versions of two never meet (S03). Deletes are
// versioned too. The server forgets the version of a deleted document after
// index.gc_deletes, which is set to longer than any request of ours can be under way
// (S04); what a replaced process sends later than that finds its alias gone.
//
// The document of a row that is rejected is deleted with the version before its
// record's, so that a replay of the record is newer. A replay that meets a version of
// its own record, of a repair say, is written above that, and a document is there
// when it is done.
//
// # What is atomic and what is not
//
// A search index knows no transactions: documents show one by one, when the index is
// refreshed, and before the commit that covers them. The place is written behind all
// of them. After a crash what lies between is written again, and changes nothing.
//
// # Indexes, aliases, and beginning anew
//
// See type indexes. A fill goes into an index beside; at its end one request leads
// the readers' alias to it and deletes the one before (R16). An index that is gone or
// was put in another's place, which its uuid tells, is filled anew (S08): the next
// document or, at the latest, a look every five seconds notices it.
//
// # Mapping
//
// Fields are derived from the columns (mapping.go) and are never guessed: dynamic is
// strict, so that neither keys of JSON nor anything else adds fields (S05). json and
// jsonb are kept and not searched unless opensearch.mapping says how, as nested,
// flat_object (OpenSearch) or flattened (Elasticsearch): those refuse rows that do not
// fit them, which is to be chosen and not guessed. Values that a field's type has no
// room for (NaN, infinities, BC, years after 9999) stay in the document and are not
// found by that field; _ignored names it. Times are found to the millisecond and
// decimals of more than 15 digits by their rounding, or exactly by <field>.exact.
// Columns that are new are added; any other change fills the index anew.
//
// # Servers
//
// OpenSearch from 1.0 (proved on 2.19) and Elasticsearch from 7.10. Nothing that is
// sent differs between them, so that no compatibility headers are needed. What each
// refusal looks like is recorded from OpenSearch 2.19 and 3.2 and Elasticsearch 7.17,
// 8.19 and 9.2, from nodes of their published jars (testdata/answers).
package opensearch
