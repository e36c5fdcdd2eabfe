package cli

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"syscall"

	"github.com/hashicorp/go-hclog"
	"github.com/spf13/cobra"

	"github.com/ringfence/ringfence/host"
	"github.com/ringfence/ringfence/host/internal/printable"
	"github.com/ringfence/ringfence/host/mcp"
)

// tokenVariable is the environment variable that holds a bearer token.
const tokenVariable = "RINGFENCE_MCP_TOKEN"

type mcpFlags struct {
	http, tokenFile, logFile, mark string
	prefix                         bool
}

func (a *app) mcpCommand() *cobra.Command {
	var f mcpFlags
	cmd := &cobra.Command{
		Use:   "mcp",
		Short: "Serve the policy's tools to an assistant",
		Long: `Mcp serves every tool of every plugin of the policy over the Model Context
Protocol: over standard input and output to the client that started it, or with
--http to clients on this machine.

Each plugin runs in its sandbox, under the policy. What tools log goes to
standard error or to --log-file, and to the client if it asks for it. Standard
output carries the protocol and nothing else.

Over HTTP a client needs a bearer token: from --token-file (which is made when
it is not there), from $` + tokenVariable + `, or a new one that is printed when
the server starts. Only loopback addresses are served, and only requests that
name one as their Host and, if they come from a web page, as their Origin.

Results are marked as those of untrusted tools: in _meta, which programs read,
and in a text behind each result, which models read. --mark meta leaves the text
out.`,
		Example: `  # In a client's configuration:
  {"mcpServers": {"ringfence": {"command": "ringfence", "args": ["mcp", "-p", "/home/me/tools.hcl"]}}}

  # For several clients, over HTTP:
  ringfence mcp --http 127.0.0.1:8787 --token-file ~/.config/ringfence/mcp-token
  claude mcp add --transport http ringfence http://127.0.0.1:8787/mcp --header "Authorization: Bearer $(cat ~/.config/ringfence/mcp-token)"

  # To look at it:
  npx @modelcontextprotocol/inspector --cli ringfence mcp -p tools.hcl --method tools/list`,
		Args: exactArgs(),
		RunE: func(cmd *cobra.Command, _ []string) error { return a.mcp(cmd.Context(), cmd, f) },
	}
	a.policyFlags(cmd)
	cmd.Flags().StringVar(&f.http, "http", "", "serve over HTTP on this loopback address, such as 127.0.0.1:8787 (port 0: any free one)")
	cmd.Flags().StringVar(&f.tokenFile, "token-file", "", "file with the bearer token; made with a new one when it is not there")
	cmd.Flags().StringVar(&f.logFile, "log-file", "", "append what the host and the tools log to this file, not to standard error")
	cmd.Flags().StringVar(&f.mark, "mark", "text", "how results are marked as untrusted: text (and _meta), or meta only")
	cmd.Flags().BoolVar(&f.prefix, "prefix", false, "put the plugin's name before every tool, not only where two plugins have the same")
	cmd.MarkFlagFilename("token-file")
	cmd.MarkFlagFilename("log-file")
	_ = cmd.RegisterFlagCompletionFunc("mark", cobra.FixedCompletions([]string{"text", "meta"}, cobra.ShellCompDirectiveNoFileComp))
	return cmd
}

func (a *app) mcp(ctx context.Context, cmd *cobra.Command, f mcpFlags) (err error) {
	if a.json {
		a.json = false // an error as JSON on standard output would not be the protocol's
		return usagef("%s speaks JSON-RPC on standard output: there is nothing to print as --json", cmd.CommandPath())
	}
	options := mcp.Options{Version: Version, Prefix: f.prefix}
	switch f.mark {
	case "text":
	case "meta":
		options.Mark = mcp.MarkMeta
	default:
		return usagef("--mark %s: write text or meta", f.mark)
	}
	address, token, err := f.listen(cmd)
	if err != nil {
		return err
	}
	policy, err := a.loadPolicy(false)
	if err != nil {
		return err
	}
	log, close, err := f.log(a.err)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, close()) }()
	hosted := a.hostOptions()
	hosted.Logger, hosted.GuestLog, options.Logger = a.mcpLoggers(log)
	hosted.Progress = newMeter(log).Report
	h, err := host.Open(policy, hosted)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, h.Close()) }()
	server := mcp.New(h, policy, options)
	defer server.Close()
	if f.http != "" {
		return serveHTTP(ctx, server, a.err, address, token)
	}
	return serveStdio(ctx, server)
}

// serveStdio keeps standard output to itself: whatever else writes there writes
// to standard error.
func serveStdio(ctx context.Context, server *mcp.Server) error {
	protocol := os.Stdout
	os.Stdout = os.Stderr
	defer func() { os.Stdout = protocol }()
	err := server.Serve(ctx, os.Stdin, protocol)
	if err != nil && ctx.Err() == nil {
		return errors.New(printable.Line(err.Error(), 512)) // it may quote the client
	}
	return nil
}

func serveHTTP(ctx context.Context, server *mcp.Server, says io.Writer, address string, token bearer) error {
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", address)
	if err != nil {
		return usagef("listen: %s", err)
	}
	fmt.Fprintf(says, "serving MCP at http://%s%s\n%s\n", listener.Addr(), mcp.Path, token.says)
	return server.ServeHTTP(ctx, listener, token.value)
}

// mcpLoggers are the loggers of the host, of guests, and of the server. A plugin
// that is missing is worth a line, even without --verbose.
func (a *app) mcpLoggers(w io.Writer) (hclog.Logger, func(host.GuestRecord), hclog.Logger) {
	level := hclog.Warn
	if a.verbose {
		level = hclog.Debug
	}
	logger := hclog.New(&hclog.LoggerOptions{Name: "ringfence", Level: level, Output: w})
	guests := hclog.New(&hclog.LoggerOptions{Level: hclog.Trace, Output: w})
	return logger, func(r host.GuestRecord) { guests.Named(r.Plugin+"."+r.Tool).Log(r.Level, r.Message) }, logger.Named("mcp")
}

// log is where logs go.
func (f mcpFlags) log(stderr io.Writer) (io.Writer, func() error, error) {
	if f.logFile == "" {
		return stderr, func() error { return nil }, nil
	}
	file, err := os.OpenFile(f.logFile, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, nil, usagef("--log-file: %s", err)
	}
	return file, file.Close, nil
}

// bearer is the token that HTTP clients need, and where they find it.
type bearer struct{ value, says string }

// listen checks the address and finds the token.
func (f mcpFlags) listen(cmd *cobra.Command) (string, bearer, error) {
	if f.http == "" {
		if cmd.Flags().Changed("http") || f.tokenFile != "" {
			return "", bearer{}, usagef("--token-file and --http belong together: write --http 127.0.0.1:8787")
		}
		return "", bearer{}, nil
	}
	name, port, err := net.SplitHostPort(f.http)
	if err != nil {
		return "", bearer{}, usagef("--http %s: write an address and a port, such as 127.0.0.1:8787", f.http)
	}
	if name == "localhost" {
		name = "127.0.0.1" // and not what a name server says
	}
	ip, err := netip.ParseAddr(name)
	if err != nil || !ip.IsLoopback() || ip.Zone() != "" {
		return "", bearer{}, usagef("--http %s: only loopback addresses are served, such as 127.0.0.1:8787; others need a proxy that speaks TLS", f.http)
	}
	token, err := f.token()
	return net.JoinHostPort(ip.String(), port), token, err
}

func (f mcpFlags) token() (bearer, error) {
	if f.tokenFile != "" {
		value, err := readToken(f.tokenFile)
		return bearer{value, "the bearer token is in " + f.tokenFile}, err
	}
	if value := os.Getenv(tokenVariable); value != "" {
		if err := mcp.CheckToken(value); err != nil {
			return bearer{}, usagef("$%s: %s", tokenVariable, err)
		}
		return bearer{value, "the bearer token is that of $" + tokenVariable}, nil
	}
	value := newToken()
	return bearer{value, "the bearer token, for this run: " + value}, nil
}

func newToken() string {
	b := make([]byte, 32)
	_, _ = rand.Read(b) // never fails (crypto/rand)
	return base64.RawURLEncoding.EncodeToString(b)
}

// readToken reads a token that nobody else can read, or makes one.
func readToken(path string) (string, error) {
	file, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o600)
	if err == nil {
		token := newToken()
		_, err := file.WriteString(token + "\n")
		if err := errors.Join(err, file.Close()); err != nil {
			return "", usagef("--token-file: %s", err)
		}
		return token, nil
	}
	if errors.Is(err, fs.ErrNotExist) {
		return "", usagef("--token-file: there is no folder %s", filepath.Dir(path))
	}
	if !errors.Is(err, fs.ErrExist) {
		return "", usagef("--token-file: %s", err)
	}
	if file, err = os.OpenFile(path, os.O_RDONLY|syscall.O_NONBLOCK, 0); err != nil { // a FIFO would wait
		return "", usagef("--token-file: %s", err)
	}
	defer file.Close()
	info, err := file.Stat()
	switch {
	case err != nil:
		return "", usagef("--token-file: %s", err)
	case !info.Mode().IsRegular():
		return "", usagef("--token-file %s is not a file", path)
	case info.Mode().Perm()&0o077 != 0:
		return "", usagef("--token-file %s can be read or written by others (mode %04o): chmod 600 it", path, info.Mode().Perm())
	}
	b, err := io.ReadAll(io.LimitReader(file, 4<<10))
	if err != nil {
		return "", usagef("--token-file: %s", err)
	}
	token := strings.TrimSpace(string(b))
	if err := mcp.CheckToken(token); err != nil {
		return "", usagef("--token-file %s: %s", path, err)
	}
	return token, nil
}
