package guest_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/ringfence/ringfence/pluginkit/guest"
	"github.com/ringfence/ringfence/pluginkit/guest/guesttest"
)

// A tool is a function from a struct to anything that has a JSON form.
func ExampleTool() {
	type Args struct {
		Text  string `json:"text" description:"the text to repeat"`
		Times int    `json:"times" description:"how often" minimum:"1" maximum:"100" default:"2"`
	}
	type Result struct {
		Text string `json:"text"`
	}
	guest.Tool("repeat", "Repeats a text.", func(args Args) (Result, error) {
		return Result{Text: strings.Repeat(args.Text, args.Times)}, nil
	})

	result, err := guesttest.Call("repeat", `{"text": "ha"}`)
	fmt.Println(string(result), err)
	_, err = guesttest.Call("repeat", `{"text": "ha", "times": 1000}`)
	fmt.Println(err)
	_, err = guesttest.Call("repeat", `{"txt": "ha"}`)
	fmt.Println(err)
	// Output:
	// {"text":"haha"} <nil>
	// bad arguments: times: expected at most 100, got 1000
	// bad arguments: unknown field "txt"; the fields are text, times
}

// The policy decides about every request, and about every redirect anew. The body is
// pulled from the host as it is read.
func ExampleFetch() {
	host := &guesttest.Host{
		Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { fmt.Fprint(w, `{"title": "Rings"}`) }),
		Refuse: func(r *http.Request) error { // what the policy does not allow
			if r.URL.Host != "example.org" {
				return fmt.Errorf("%w: no rule names %s", guest.ErrDenied, r.URL.Host)
			}
			return nil
		},
	}
	defer host.Start()()

	title := func(url string) (string, error) {
		response, err := guest.Fetch(guest.Request{URL: url, Header: guest.Header{"Accept": {"application/json"}}})
		if err != nil {
			return "", err
		}
		defer response.Body.Close()
		var page struct{ Title string }
		err = json.NewDecoder(io.LimitReader(response.Body, 1<<20)).Decode(&page)
		return page.Title, err
	}
	fmt.Println(title("https://example.org/page.json"))
	_, err := title("https://evil.example/")
	fmt.Println(errors.Is(err, guest.ErrDenied))
	// Output:
	// Rings <nil>
	// true
}

// Progress is for people who wait; a log line, with its pairs, for those who look
// later.
func ExampleProgress() {
	host := &guesttest.Host{}
	defer host.Start()()

	pages := []string{"a", "b"}
	for i, page := range pages {
		guest.Progress(float64(i+1), float64(len(pages)), "reading "+page)
		guest.Log(guest.LevelInfo, "read", "page", page, "bytes", 10*i)
	}
	fmt.Println(strings.Join(host.Reports, "\n"))
	fmt.Println(strings.Join(host.Logs, "\n"))
	// Output:
	// {"done":1,"total":2,"message":"reading a"}
	// {"done":2,"total":2,"message":"reading b"}
	// read page=a bytes=0
	// read page=b bytes=10
}

// A tool that can stop in time answers with what it has.
func ExampleDeadline() {
	host := &guesttest.Host{Deadline: time.Now().Add(time.Minute)}
	defer host.Start()()

	done := 0
	for ; done < 3; done++ {
		if end, ok := guest.Deadline(); ok && time.Until(end) < time.Second {
			break
		}
	}
	fmt.Println(done)
	// Output: 3
}

// Blocks are what a person or a model looks at; the value is for programs, and has the
// output schema.
func ExampleStructured() {
	type Args struct {
		Format string `json:"format" enum:"short,long" default:"short" description:"how much to tell"`
		Since  *int   `json:"since,omitempty" minimum:"1" description:"only what is newer; leave it out for all"`
	}
	type Count struct {
		Open int `json:"open"`
	}
	guest.Tool("issues", "Counts open issues.", func(args Args) (guest.Structured[Count], error) {
		n := 3
		return guest.Structured[Count]{Value: Count{n}, Content: []guest.Content{guest.Text(fmt.Sprintf("%d are open", n))}}, nil
	}, guest.ReadOnly(), guest.Title("Count issues"))

	result, err := guesttest.Call("issues", `{}`)
	fmt.Println(string(result), err)
	_, err = guesttest.Call("issues", `{"format": "tiny"}`)
	fmt.Println(err)
	_, err = guesttest.Call("issues", `{"since": 0}`)
	fmt.Println(err)
	// Output:
	// {"content":[{"type":"text","text":"3 are open"}],"structured":{"open":3}} <nil>
	// bad arguments: format: expected one of short, long, got "tiny"
	// bad arguments: since: expected at least 1, got 0
}

// A workspace is a file system. Update survives others who write at the same time.
func ExampleWorkspace() {
	host := &guesttest.Host{Workspaces: map[string]*guesttest.Workspace{
		"notes": {Files: map[string]string{"todo.md": "- milk\n", "old/done.md": "- bread\n"}},
	}} // as the policy grants
	defer host.Start()()

	notes := guest.Workspace("notes")
	err := notes.Update("todo.md", func(old []byte) ([]byte, error) {
		return append(old, "- eggs\n"...), nil
	})
	text, _ := notes.ReadFile("todo.md")
	fmt.Printf("%s%v\n", text, err)

	_ = fs.WalkDir(notes, ".", func(path string, _ fs.DirEntry, err error) error {
		fmt.Println(path)
		return err
	})
	err = notes.Create("todo.md", nil)
	fmt.Println(errors.Is(err, fs.ErrExist), errors.Is(err, guest.ErrDenied))
	_, err = guest.Workspace("photos").ReadFile("me.jpg")
	fmt.Println(errors.Is(err, fs.ErrPermission), errors.Is(err, guest.ErrDenied))
	// Output:
	// - milk
	// - eggs
	// <nil>
	// .
	// old
	// old/done.md
	// todo.md
	// true false
	// true true
}

// State outlives the call. Update survives others who count at the same time.
func ExampleStore_Update() {
	host := &guesttest.Host{Kept: map[string]string{"visits": "41"}}
	defer host.Start()()

	err := guest.State.Update("visits", func(old []byte) ([]byte, error) {
		n, _ := strconv.Atoi(string(old)) // 0 when there is none
		return strconv.AppendInt(nil, int64(n+1), 10), nil
	})
	visits, _ := guest.State.Get("visits")
	fmt.Println(string(visits), err)
	// Output: 42 <nil>
}

// The policy says which tool an alias is: invoke "lookup" { tool = "geo.lookup" }.
func ExampleInvoke() {
	host := &guesttest.Host{Invokes: map[string]func(arguments []byte) (any, error){
		"lookup": func([]byte) (any, error) { return map[string]any{"lat": 46.95, "lon": 7.45, "from": "a map"}, nil },
	}}
	defer host.Start()()

	type Place struct {
		City string `json:"city"`
	}
	type Point struct {
		Lat float64 `json:"lat"`
		Lon float64 `json:"lon"`
	}
	point, err := guest.Invoke[Point]("lookup", Place{City: "Bern"})
	fmt.Println(point, err)
	_, err = guest.Invoke[Point]("weather", nil)
	fmt.Println(errors.Is(err, guest.ErrDenied))
	// Output:
	// {46.95 7.45} <nil>
	// true
}

// A missing token is worth a hint: the guest learns that it is missing, and
// never what it is.
func ExampleSecretExists() {
	exists, err := guest.SecretExists("github")
	fmt.Println(exists, err)
	// Output: false secret github: not inside a sandbox
}

// InvalidArgs is for what the schema cannot say.
func ExampleInvalidArgs() {
	type Args struct {
		From int `json:"from"`
		To   int `json:"to"`
	}
	guest.Tool("span", "Counts from one number to another.", func(args Args) (int, error) {
		if args.To < args.From {
			return 0, guest.InvalidArgs(fmt.Errorf("to: %d comes before from (%d)", args.To, args.From))
		}
		return args.To - args.From, nil
	})
	_, err := guesttest.Call("span", `{"from": 5, "to": 3}`)
	fmt.Println(err)
	// Output: bad arguments: to: 3 comes before from (5)
}
