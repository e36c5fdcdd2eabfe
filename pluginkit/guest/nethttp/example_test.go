package nethttp_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"

	"github.com/ringfence/ringfence/pluginkit/guest"
	"github.com/ringfence/ringfence/pluginkit/guest/guesttest"
	"github.com/ringfence/ringfence/pluginkit/guest/nethttp"
)

// A library that takes an *http.Client gets one. What the policy refuses is an error
// of the client's that answers errors.Is.
func Example() {
	host := &guesttest.Host{
		Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { fmt.Fprint(w, `{"celsius": 21}`) }),
		Refuse: func(r *http.Request) error { // what the policy does not allow
			if r.URL.Host != "api.example.org" {
				return fmt.Errorf("%w: no rule names %s", guest.ErrDenied, r.URL.Host)
			}
			return nil
		},
	}
	defer host.Start()()

	client := &http.Client{Transport: nethttp.Transport{}}
	celsius := func(url string) (float64, error) {
		request, err := http.NewRequestWithContext(context.Background(), http.MethodGet, url, nil)
		if err != nil {
			return 0, err
		}
		response, err := client.Do(request)
		if err != nil {
			return 0, err
		}
		defer response.Body.Close()
		var weather struct{ Celsius float64 }
		err = json.NewDecoder(response.Body).Decode(&weather)
		return weather.Celsius, err
	}
	fmt.Println(celsius("https://api.example.org/bern"))
	_, err := celsius("https://elsewhere.example/")
	fmt.Println(errors.Is(err, guest.ErrDenied))
	// Output:
	// 21 <nil>
	// true
}
