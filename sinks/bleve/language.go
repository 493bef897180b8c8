package bleve

import (
	"fmt"

	"github.com/blevesearch/bleve/v2/analysis"
	"github.com/blevesearch/bleve/v2/analysis/lang/ar"
	"github.com/blevesearch/bleve/v2/analysis/lang/cjk"
	"github.com/blevesearch/bleve/v2/analysis/lang/ckb"
	"github.com/blevesearch/bleve/v2/analysis/lang/da"
	"github.com/blevesearch/bleve/v2/analysis/lang/de"
	"github.com/blevesearch/bleve/v2/analysis/lang/en"
	"github.com/blevesearch/bleve/v2/analysis/lang/es"
	"github.com/blevesearch/bleve/v2/analysis/lang/fa"
	"github.com/blevesearch/bleve/v2/analysis/lang/fi"
	"github.com/blevesearch/bleve/v2/analysis/lang/fr"
	"github.com/blevesearch/bleve/v2/analysis/lang/hi"
	"github.com/blevesearch/bleve/v2/analysis/lang/hr"
	"github.com/blevesearch/bleve/v2/analysis/lang/hu"
	"github.com/blevesearch/bleve/v2/analysis/lang/it"
	"github.com/blevesearch/bleve/v2/analysis/lang/nl"
	"github.com/blevesearch/bleve/v2/analysis/lang/no"
	"github.com/blevesearch/bleve/v2/analysis/lang/pl"
	"github.com/blevesearch/bleve/v2/analysis/lang/pt"
	"github.com/blevesearch/bleve/v2/analysis/lang/ro"
	"github.com/blevesearch/bleve/v2/analysis/lang/ru"
	"github.com/blevesearch/bleve/v2/analysis/lang/sv"
	"github.com/blevesearch/bleve/v2/analysis/lang/tr"
	"github.com/blevesearch/bleve/v2/analysis/token/lowercase"
	"github.com/blevesearch/bleve/v2/analysis/tokenizer/unicode"
	"github.com/blevesearch/bleve/v2/registry"
)

// Plain is the language of no language: words by Unicode's rules, in small
// letters, none left out.
const Plain = "none"

// analyzers are those that the indexes of one sink need, by language. They are
// immutable, and safe for concurrent use.
type analyzers map[string]analysis.Analyzer

// newAnalyzers makes those of some languages.
func newAnalyzers(languages ...string) (analyzers, error) {
	all, cache := analyzers{}, registry.NewCache()
	for _, language := range append([]string{Plain}, languages...) {
		if all[language] != nil {
			continue
		}
		a, err := newAnalyzer(language, cache)
		if err != nil {
			return nil, err
		}
		all[language] = a
	}
	return all, nil
}

func newAnalyzer(language string, cache *registry.Cache) (analysis.Analyzer, error) {
	switch language {
	case "", Plain:
		return &analysis.DefaultAnalyzer{Tokenizer: unicode.NewUnicodeTokenizer(), TokenFilters: []analysis.TokenFilter{lowercase.NewLowerCaseFilter()}}, nil
	case ar.AnalyzerName, cjk.AnalyzerName, ckb.AnalyzerName, da.AnalyzerName, de.AnalyzerName, en.AnalyzerName, es.AnalyzerName,
		fa.AnalyzerName, fi.AnalyzerName, fr.AnalyzerName, hi.AnalyzerName, hr.AnalyzerName, hu.AnalyzerName, it.AnalyzerName,
		nl.AnalyzerName, no.AnalyzerName, pl.AnalyzerName, pt.AnalyzerName, ro.AnalyzerName, ru.AnalyzerName, sv.AnalyzerName, tr.AnalyzerName:
		return cache.AnalyzerNamed(language)
	}
	return nil, fmt.Errorf("there is no analyzer of language %q", language)
}
