package broker

import (
	"context"
	"crypto/x509"
	"net"
	"net/http"
	"net/netip"
	"time"

	"golang.org/x/time/rate"

	"github.com/ringfence/ringfence/host/internal/audit"
	"github.com/ringfence/ringfence/host/internal/state"
	"github.com/ringfence/ringfence/policies"
)

// Config is what a Broker needs to know about its plugin. Only Plugin and Audit
// are required.
type Config struct {
	Plugin  string
	HTTP    *policies.HTTPGrant   // nil grants nothing
	Secrets []policies.Secret     // those whose existence the plugin may know
	Client  *policies.ClientGrant // nil grants nothing
	Folders []Folder              // with different names
	Kept    Kept                  // zero grants nothing
	Invokes []policies.Invoke     // with different aliases
	Audit   audit.Recorder
	RunDir  string         // for large response bodies; "" is the system's folder for temporary files
	RootCAs *x509.CertPool // nil means the system's
	// Resolver turns names into addresses; nil means the system's.
	Resolver Resolver
	// Transport carries requests in place of the network; nil means the network.
	Transport http.RoundTripper
	Limits    Limits           // zero fields mean the defaults
	Now       func() time.Time // nil means time.Now
}

// Resolver is the part of net.Resolver that is used.
type Resolver interface {
	LookupNetIP(ctx context.Context, network, host string) ([]netip.Addr, error)
}

// Limits bound what a guest can use of the host.
type Limits struct {
	Concurrent       int           // requests of one call that wait for a response's head; default 4
	PluginConcurrent int           // the same of all calls; default 16
	Handles          int           // open response bodies of one call, and connections that they keep; default 16
	Requests         int           // requests of one call altogether; default 10000
	ResponseHeader   int64         // bytes; default 64 KiB
	ResponseBody     int64         // bytes, decompressed; default 64 MiB
	Memory           int64         // bytes of bodies in memory, all calls; default 16 MiB
	Disk             int64         // bytes of bodies on disk, all calls; default 512 MiB
	FileRate         int64         // bytes a second that are written to workspaces, all calls; default 32 MiB, 16 times that at once
	Dial             time.Duration // finding and connecting to a server; default 10 s
	TLS              time.Duration // the TLS handshake; default 10 s
	Head             time.Duration // from the request's last byte to the response's head; default 60 s
	Idle             time.Duration // without a byte of a body that somebody waits for; default 30 s
}

func (l Limits) withDefaults() Limits {
	set(&l.Concurrent, 4)
	set(&l.PluginConcurrent, 16)
	set(&l.Handles, 16)
	set(&l.Requests, 10_000)
	set(&l.ResponseHeader, 64<<10)
	set(&l.ResponseBody, 64<<20)
	set(&l.Memory, 16<<20)
	set(&l.Disk, 512<<20)
	set(&l.FileRate, 32<<20)
	set(&l.Dial, 10*time.Second)
	set(&l.TLS, 10*time.Second)
	set(&l.Head, 60*time.Second)
	set(&l.Idle, 30*time.Second)
	return l
}

func set[T comparable](field *T, value T) {
	var zero T
	if *field == zero {
		*field = value
	}
}

// Broker serves the requests of one plugin. It is safe for concurrent use.
type Broker struct {
	cfg     Config
	limits  Limits
	rate    *rate.Limiter // nil: the policy sets none
	rateN   int
	ratePer time.Duration
	asks    *rate.Limiter // of questions to whoever called
	slots   chan struct{} // one for each request that runs
	quota   *quota
	folders map[string]*folder
	writes  *rate.Limiter // bytes that are written to folders
	kept    *state.State  // nil: nothing is kept

	// Two transports, so that a connection which a rule with a literal address
	// opened can never serve a rule without one.
	public, literal *http.Transport
}

// New makes the broker of a plugin. It opens nothing yet.
func New(cfg Config) *Broker {
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if cfg.Resolver == nil {
		cfg.Resolver = net.DefaultResolver
	}
	limits := cfg.Limits.withDefaults()
	b := &Broker{
		cfg:    cfg,
		limits: limits,
		slots:  make(chan struct{}, limits.PluginConcurrent),
		quota:  &quota{memory: limits.Memory, disk: limits.Disk},

		folders: make(map[string]*folder),
		writes:  rate.NewLimiter(rate.Limit(limits.FileRate), int(16*limits.FileRate)),
		kept:    cfg.Kept.open(cfg.Now),
	}
	for _, f := range cfg.Folders {
		b.folders[f.Name] = &folder{Folder: f}
	}
	if n, per, ok := cfg.HTTP.Rate(); ok {
		b.rateN, b.ratePer = n, per
		b.rate = rate.NewLimiter(rate.Limit(float64(n)/per.Seconds()), n)
	}
	n, per := cfg.Client.Rate()
	b.asks = rate.NewLimiter(rate.Limit(float64(n)/max(per.Seconds(), 1)), n)
	d := newDialer(cfg.Resolver, limits.Dial)
	b.public = newTransport(d.dialPublic, cfg.RootCAs, limits)
	b.literal = newTransport(d.dialLiteral, cfg.RootCAs, limits)
	return b
}

// Close ends idle connections and closes folders. Sessions must be closed before.
func (b *Broker) Close() {
	b.public.CloseIdleConnections()
	b.literal.CloseIdleConnections()
	for _, f := range b.folders {
		f.close()
	}
}
