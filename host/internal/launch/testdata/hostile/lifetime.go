package main

import (
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

func init() {
	ways["never"] = func([]string) { hold() }
	ways["closes-stdout"] = func([]string) {
		syscall.Close(1)
		for {
			time.Sleep(time.Hour)
		}
	}
	ways["exit"] = func(args []string) {
		fmt.Fprintln(os.Stderr, "last words")
		if args[0] != "0" {
			os.Exit(3)
		}
	}
	ways["stopped"] = func([]string) {
		must(syscall.Kill(os.Getpid(), syscall.SIGSTOP))
		hold()
	}
	ways["exits-after-line"] = func([]string) {
		listen("s")
		fmt.Println("1|1|unix|./s|grpc|")
		os.Exit(5)
	}
	ways["sit"] = func([]string) {
		for {
			time.Sleep(time.Hour)
		}
	}
	// Takes back the wish to die with the host.
	ways["outlive"] = func([]string) {
		must(unix.Prctl(unix.PR_SET_PDEATHSIG, 0, 0, 0, 0))
		serve()
	}
	// Starts others that hold its standard output and error.
	ways["children"] = func(args []string) {
		for _, how := range args {
			for range 3 {
				cmd := exec.Command(self(), "sit")
				cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
				cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: how == "own-group", Setsid: how == "own-session"}
				must(cmd.Start())
			}
		}
		serve()
	}
	ways["bomb"] = func([]string) {
		go func() {
			for range 40 {
				cmd := exec.Command(self(), "sit")
				_ = cmd.Start()
			}
		}()
		serve()
	}
	ways["mess"] = func([]string) {
		must(os.MkdirAll("a/b/c", 0o700))
		must(os.WriteFile("a/b/c/file", nil, 0))
		must(os.Symlink("/", "a/root"))
		must(os.Chmod("a/b", 0))
		for range 3000 {
			must(os.Mkdir("d", 0o700))
			must(os.Chdir("d"))
		}
		must(os.Chdir(strings.Repeat("../", 1000)))
		must(os.Chdir(strings.Repeat("../", 1000)))
		must(os.Chdir(strings.Repeat("../", 1000)))
		serve()
	}
	ways["dies"] = func([]string) {
		serveWith(map[string]func(string) string{
			"stop": func(string) string { syscall.Kill(os.Getpid(), syscall.SIGSTOP); return "" },
			"crash": func(string) string {
				for range 100 {
					go func() { select {} }()
				}
				fmt.Fprintln(rawStderr{}, "a word before")
				go func() { panic("the reason") }()
				hold()
				return ""
			},
			"exit": func(string) string { os.Exit(7); return "" },
			"eat": func(n string) string {
				bytes, err := strconv.Atoi(n)
				must(err)
				b := make([]byte, bytes)
				for i := 0; i < len(b); i += 4096 {
					b[i] = 1
				}
				return n
			},
			"burn": func(string) string {
				var before, now syscall.Rusage
				_ = syscall.Getrusage(syscall.RUSAGE_SELF, &before)
				for now = before; now.Utime.Nano()-before.Utime.Nano() < 100e6; {
					_ = syscall.Getrusage(syscall.RUSAGE_SELF, &now)
				}
				return ""
			},
		})
	}
}

type rawStderr struct{}

func (rawStderr) Write(b []byte) (int, error) { return syscall.Write(2, b) }
