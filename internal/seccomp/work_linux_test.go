//go:build amd64 || arm64

package seccomp

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log"
	"net"
	"os"
	"os/exec"
	"runtime"
	"runtime/debug"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/status"
)

// TestGoKeepsWorking runs what a Go program does by itself, and a gRPC server on
// a Unix socket, under both stages of the WASM profile. The host's side is here.
func TestGoKeepsWorking(t *testing.T) {
	dir := t.TempDir()
	child := exec.CommandContext(t.Context(), os.Args[0])
	child.Env = []string{envDo + "=serve", envStages + "=wasm", "GOMAXPROCS=2"}
	child.Dir, child.Stderr = dir, os.Stderr
	child.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	out, err := child.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := child.Start(); err != nil {
		t.Fatal(err)
	}
	defer child.Wait()
	if _, err := out.Read(make([]byte, 1)); err != nil { // its handshake line
		t.Fatal("no handshake: ", err)
	}
	conn, err := grpc.NewClient("unix:"+dir+"/served", grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	client := grpc_health_v1.NewHealthClient(conn)
	ask := func(what string) {
		t.Helper()
		if _, err := client.Check(t.Context(), &grpc_health_v1.HealthCheckRequest{Service: what}); err != nil {
			t.Fatalf("%s: %v", strings.TrimSpace(what), err)
		}
	}
	large := strings.Repeat(" ", 2<<20)
	ask("work")
	ask("work" + large)
	ask("stage two")
	for range 3 {
		ask("work")
		ask("work" + large)
	}
	ask("end")
	if err := child.Wait(); err != nil {
		t.Error(err)
	}
}

func init() {
	deeds["serve"] = func() string {
		listener, err := net.Listen("unix", "served")
		if err == nil {
			s := &server{ended: make(chan struct{})}
			g := grpc.NewServer()
			grpc_health_v1.RegisterHealthServer(g, s)
			if err = WASM.Install(One); err == nil {
				fmt.Println("ready")
				go g.Serve(listener)
				<-s.ended
				g.GracefulStop()
			}
		}
		return said(err)
	}
}

type server struct {
	grpc_health_v1.UnimplementedHealthServer
	ended chan struct{}
}

func (s *server) Check(_ context.Context, r *grpc_health_v1.HealthCheckRequest) (*grpc_health_v1.HealthCheckResponse, error) {
	var err error
	switch strings.TrimSpace(r.Service) {
	case "stage two":
		err = WASM.Install(Two)
	case "work":
		err = work()
	case "end":
		close(s.ended)
	}
	if err != nil {
		return nil, status.Error(codes.Internal, err.Error())
	}
	return &grpc_health_v1.HealthCheckResponse{}, nil
}

// work is what makes the runtime ask things of the kernel: memory that comes and
// goes, threads, timers, signals, faults, randomness, files that are not there.
func work() error {
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			for range 50 {
				b := make([]byte, 1<<20)
				b[len(b)-1] = 1
				time.Sleep(time.Microsecond)
			}
			runtime.GC()
		})
		all.Add(1)
		go locked(func() { // the thread ends with the goroutine
			defer all.Done()
			time.Sleep(time.Millisecond)
		})
	}
	all.Wait()
	debug.FreeOSMemory()
	runtime.GOMAXPROCS(1)
	runtime.GOMAXPROCS(2)
	if err := fault(); err == nil {
		return errors.New("a fault was not caught")
	}
	_ = unix.Tgkill(os.Getpid(), unix.Gettid(), unix.SIGURG) // as the runtime does
	log.Print(time.Now().Local().Format(time.RFC1123))
	if _, err := time.LoadLocation("Europe/Vienna"); err == nil {
		return errors.New("there are time zones")
	}
	if _, err := os.ReadFile("/etc/passwd"); !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("reading a file: %w", err)
	}
	return nil
}

func fault() (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("%v", p)
		}
	}()
	var p *server
	close(p.ended)
	return nil
}
