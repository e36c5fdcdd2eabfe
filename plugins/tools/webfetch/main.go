package main

import (
	"errors"
	"fmt"
	"net/url"
	"strings"

	"github.com/ringfence/ringfence/pluginkit/guest"
)

// maxPage is how much of a body is read. Decoded, parsed and converted, a page of
// this size stays within the default memory of a guest.
const maxPage = 3 << 20

// Args are the arguments of the tool fetch.
type Args struct {
	URL       string `json:"url" description:"The page's address, with https:// or http://."`
	Format    string `json:"format" description:"markdown and text leave out what is not for reading; raw is the body as it came." enum:"markdown,text,raw" default:"markdown"`
	WholePage bool   `json:"whole_page" description:"Include navigation, banners and footers, which are left out otherwise." default:"false"`
	Images    bool   `json:"images" description:"Include the addresses of images in markdown, not only their descriptions." default:"false"`
	MaxLinks  int    `json:"max_links" description:"How many of the content's links to list." default:"30" minimum:"0" maximum:"1000"`
	Start     int    `json:"start" description:"The character of the content to begin with: the next of an earlier answer, else 0." default:"0" minimum:"0"`
	MaxChars  int    `json:"max_chars" description:"How many characters of the content to return." default:"20000" minimum:"100" maximum:"1000000"`
}

// Page is what was found at an address.
type Page struct {
	URL         string `json:"url" description:"where the page came from, after redirects"`
	Title       string `json:"title,omitempty"`
	Description string `json:"description,omitempty" description:"what the page says of itself"`
	Language    string `json:"language,omitempty" description:"such as en or pt-BR, as the page says"`
	ContentType string `json:"content_type" description:"without parameters"`
	Encoding    string `json:"encoding" description:"that the page was read in"`
	Content     string `json:"content"`
	Chars       int    `json:"chars" description:"characters of the whole content"`
	Next        int    `json:"next,omitempty" description:"the start of the rest of the content, if there is more"`
	Links       []Link `json:"links,omitempty"`
	MoreLinks   int    `json:"more_links,omitempty" description:"links beyond max_links"`
	Hidden      int    `json:"hidden,omitempty" description:"characters that the page hides from its readers and that were left out"`
	Cut         bool   `json:"cut,omitempty" description:"true if the page is larger than what is read of one (3 MiB), and its end is missing"`
	Note        string `json:"note,omitempty" description:"what is odd about the page"`
}

// Link is a link of the content.
type Link struct {
	Text string `json:"text"`
	URL  string `json:"url"`
}

func init() {
	guest.Tool("fetch", "Reads a page of the web and returns it as clean Markdown (or text, or raw), with its title and links. "+
		"Follows redirects; reads HTML, JSON, XML and other text, no PDF, images or archives, and runs no scripts. "+
		"Long pages come in parts: call again with start set to next.", fetch,
		guest.Title("Read a web page"), guest.ReadOnly(), guest.OpenWorld())
}

func main() {}

func fetch(args Args) (Page, error) {
	address, err := checkURL(args.URL)
	if err != nil {
		return Page{}, guest.InvalidArgs(err)
	}
	response, err := guest.Fetch(guest.Request{URL: address, Header: guest.Header{
		"Accept":     {"text/html,application/xhtml+xml,text/markdown;q=0.9,text/plain;q=0.9,application/json;q=0.8,*/*;q=0.5"},
		"User-Agent": {"ringfence-webfetch"},
	}})
	if err != nil {
		return Page{}, err
	}
	defer response.Body.Close()
	body, cut, err := readBody(response)
	if err != nil {
		return Page{}, err
	}
	kind, mime := classify(response.Header.Get("Content-Type"), body)
	if response.Status < 200 || response.Status > 299 {
		return Page{}, refused(response, kind, body)
	}
	if kind == binary {
		return Page{}, fmt.Errorf("%s is %s, which webfetch does not read: it reads HTML, JSON, XML and other text", response.URL, article(mime, body))
	}
	text, encoding, err := decode(body, response.Header.Get("Content-Type"))
	if err != nil {
		return Page{}, err
	}
	page := Page{URL: response.URL, ContentType: mime, Encoding: encoding, Cut: cut}
	if kind != markup || args.Format == "raw" {
		page.Content = text
		if kind != markup {
			page.Content, page.Hidden = visibleText(text)
		}
	} else if err := page.read(text, args); err != nil {
		return Page{}, fmt.Errorf("%s: %w", response.URL, err)
	}
	if err := page.part(args.Start, args.MaxChars); err != nil {
		return Page{}, guest.InvalidArgs(err)
	}
	return page, nil
}

// checkURL says what is wrong with an address in words that help; what may be asked
// for is the policy's to decide. A fragment is the reader's own and is not sent.
func checkURL(address string) (string, error) {
	address = strings.TrimSpace(address)
	u, err := url.Parse(address)
	switch {
	case err != nil:
		return "", fmt.Errorf("url: %w", errors.Unwrap(err))
	case u.Scheme == "" || u.Opaque != "" && u.Host == "" && strings.Contains(u.Scheme, "."):
		return "", fmt.Errorf("url: %q has no scheme; did you mean %q?", address, "https://"+strings.TrimLeft(address, "/"))
	case u.Scheme != "https" && u.Scheme != "http":
		return "", fmt.Errorf("url: the scheme of %q is %q; https and http are allowed", address, u.Scheme)
	case u.Host == "":
		return "", fmt.Errorf("url: %q names no host", address)
	}
	u.Fragment, u.RawFragment = "", ""
	return u.String(), nil
}

// part keeps what of the content the caller asked for, cut at the end of a line if
// there is one in the last fifth.
func (p *Page) part(start, most int) error {
	content := []rune(p.Content)
	p.Chars = len(content)
	if start > 0 && start >= len(content) {
		return fmt.Errorf("start: the content has %d characters; %d is beyond its end", len(content), start)
	}
	end := len(content)
	if end-start > most {
		end = start + most
		for i := end; i > end-most/5; i-- {
			if content[i-1] == '\n' {
				end = i
				break
			}
		}
		p.Next = end
	}
	p.Content = string(content[start:end])
	return nil
}
