// Supply tells what Evert is made of: a bill of materials of a binary, in
// CycloneDX's form, with every module's version, sum and licence.
//
//	make sbom                                     results/evert and results/sbom.cdx.json
//	go run ./integration/supply BINARY > FILE
//
// What it says is what the linker noted in the binary (go version -m), so that
// the bill and the binary cannot differ. The tests beside it hold the modules to
// licences that everybody may build upon, and the build to being the same twice.
package main
