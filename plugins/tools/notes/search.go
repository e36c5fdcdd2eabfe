package main

import (
	"cmp"
	"errors"
	"io/fs"
	"path"
	"slices"
	"strings"
	"unicode"

	"github.com/ringfence/ringfence/pluginkit/guest"
)

const (
	maxLines = 3   // shown of one note
	maxLine  = 200 // characters shown of one
)

// SearchArgs are the arguments of search.
type SearchArgs struct {
	Query string `json:"query" description:"words, each of which must be in the note; capitals do not matter, \"several words\" in quotes are looked for as they are"`
	Limit int    `json:"limit" description:"how many notes at most" default:"10" minimum:"1" maximum:"100"`
}

// Match is a note that matches.
type Match struct {
	Note
	Title string `json:"title,omitempty"`
	Hits  int    `json:"hits" description:"how often the words are in it"`
	Lines []Line `json:"lines,omitempty" description:"the first lines that have one of the words"`
}

// Line is a line of a note.
type Line struct {
	Number int    `json:"number" description:"from 1"`
	Text   string `json:"text"`
}

// SearchResult is what search answers.
type SearchResult struct {
	Matches []Match `json:"matches"`
	Total   int     `json:"total" description:"how many notes match"`
	Partial bool    `json:"partial,omitempty" description:"true if there is more text than one search reads: the notes that changed last were searched"`
}

func search(args SearchArgs) (SearchResult, error) {
	result := SearchResult{Matches: []Match{}}
	words := terms(args.Query)
	if len(words) == 0 {
		return result, guest.InvalidArgs(errors.New("query: there is no word in it to look for"))
	}
	folder := workspace()
	notes, more, err := all(folder, ".")
	if err != nil {
		return result, err
	}
	result.Partial = more
	scores := map[string]int{}
	budget := int64(maxSearch)
	for _, n := range notes {
		if n.Bytes > maxNote || n.Bytes > budget {
			result.Partial = true
			continue
		}
		content, err := folder.ReadFile(n.Name + extension)
		if errors.Is(err, fs.ErrNotExist) {
			continue // gone meanwhile
		}
		if err != nil {
			return result, err
		}
		budget -= int64(len(content))
		if m, score := match(n, string(content), words); score > 0 {
			scores[n.Name] = score
			result.Matches = append(result.Matches, m)
		}
	}
	result.Total = len(result.Matches)
	slices.SortStableFunc(result.Matches, func(a, b Match) int { return cmp.Compare(scores[b.Name], scores[a.Name]) })
	result.Matches = result.Matches[:min(len(result.Matches), args.Limit)]
	return result, nil
}

// match looks for the words in a note. Its score is 0 if one of them is missing; a
// word in the name or the title counts as ten in the text.
func match(n Note, content string, words []string) (Match, int) {
	content = strings.ToValidUTF8(content, "\ufffd")
	lower, name := strings.ToLower(content), strings.ToLower(path.Base(n.Name))
	m := Match{Note: n, Title: titleOf(content)}
	title := strings.ToLower(m.Title)
	score := 0
	for _, w := range words {
		hits := strings.Count(lower, w)
		in := strings.Contains(name, w) || strings.Contains(title, w)
		if hits == 0 && !in {
			return m, 0
		}
		m.Hits += hits
		score += min(hits, 100)
		if in {
			score += 10
		}
	}
	number := 0
	for line := range strings.Lines(content) {
		number++
		if len(m.Lines) == maxLines {
			break
		}
		folded := strings.ToLower(line)
		if slices.ContainsFunc(words, func(w string) bool { return strings.Contains(folded, w) }) {
			m.Lines = append(m.Lines, Line{number, shorten(strings.TrimSpace(line), maxLine)})
		}
	}
	return m, score
}

// terms are the words and quoted phrases of a query, in small letters.
func terms(query string) (words []string) {
	for i, part := range strings.Split(strings.ToLower(query), `"`) {
		if i%2 == 1 {
			if phrase := strings.Join(strings.Fields(part), " "); phrase != "" {
				words = append(words, phrase)
			}
			continue
		}
		words = append(words, strings.FieldsFunc(part, unicode.IsSpace)...)
	}
	return words[:min(len(words), 32)]
}

// titleOf is the first heading of a note, or "".
func titleOf(content string) string {
	for line := range strings.Lines(content) {
		if title, ok := strings.CutPrefix(strings.TrimSpace(line), "# "); ok {
			return shorten(strings.TrimSpace(title), maxLine)
		}
	}
	return ""
}

// shorten cuts a text at a number of characters.
func shorten(s string, most int) string {
	count := 0
	for i := range s {
		if count == most {
			return s[:i] + "…"
		}
		count++
	}
	return s
}
