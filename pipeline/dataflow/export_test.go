package dataflow

// What the tests beside this package use of those within it.
var (
	OrderDocuments = orderDocuments
	NewCrowd       = newCrowd
	Size           = size
)

// Crowd makes rows.
type Crowd = crowd
