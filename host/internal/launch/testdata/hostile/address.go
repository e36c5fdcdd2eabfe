package main

import (
	"crypto/ed25519"
	"crypto/rand"
	"crypto/x509"
	"encoding/base64"
	"fmt"
	"math/big"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

func init() {
	// Prints its argument, and no more.
	ways["line"] = func(args []string) {
		fmt.Print(args[0])
		hold()
	}
	ways["many-fields"] = func([]string) {
		fmt.Println("1|1|unix|./s|grpc|" + strings.Repeat("|", 100_000))
		hold()
	}
	// A certificate although TLS is off.
	ways["certificate"] = func([]string) {
		l := listen("s")
		fmt.Println("1|1|unix|./s|grpc|" + base64.RawStdEncoding.EncodeToString(certificate()))
		serveOn(l)
	}
	// The socket is a symlink to the one of somebody else.
	ways["symlink"] = func(args []string) {
		must(os.Symlink(args[0], "s"))
		fmt.Println("1|1|unix|./s|grpc|")
		hold()
	}
	ways["hardlink"] = func(args []string) {
		must(os.Link(args[0], "s"))
		fmt.Println("1|1|unix|./s|grpc|")
		hold()
	}
	ways["folder-symlink"] = func(args []string) {
		cwd, err := os.Getwd()
		must(err)
		must(os.Rename(cwd, cwd+".old"))
		must(os.Symlink(filepath.Dir(args[0]), cwd))
		fmt.Println("1|1|unix|./" + filepath.Base(args[0]) + "|grpc|")
		hold()
	}
	ways["regular-file"] = func([]string) {
		must(os.WriteFile("s", nil, 0o600))
		fmt.Println("1|1|unix|./s|grpc|")
		hold()
	}
	ways["named-pipe"] = func([]string) {
		must(unix.Mkfifo("s", 0o600))
		fmt.Println("1|1|unix|./s|grpc|")
		hold()
	}
	// A real socket changes places with a symlink all the time.
	ways["swap"] = func(args []string) {
		l := listen("s")
		must(os.Symlink(args[0], "t"))
		go func() {
			for {
				_ = unix.Renameat2(unix.AT_FDCWD, "s", unix.AT_FDCWD, "t", unix.RENAME_EXCHANGE)
			}
		}()
		fmt.Println("1|1|unix|./s|grpc|")
		serveOn(l)
	}
	// Another process serves the socket.
	ways["other-process"] = func([]string) {
		cmd := exec.Command(self(), "serve-quietly")
		cmd.Stderr = os.Stderr
		must(cmd.Start())
		for {
			if _, err := os.Lstat("listening"); err == nil {
				break
			}
			time.Sleep(time.Millisecond)
		}
		fmt.Println("1|1|unix|./s|grpc|")
		hold()
	}
	ways["serve-quietly"] = func([]string) {
		l := listen("s")
		must(os.WriteFile("listening", nil, 0o600))
		serveOn(l)
	}
}

func listen(name string) net.Listener {
	l, err := net.Listen("unix", "./"+name)
	must(err)
	l.(*net.UnixListener).SetUnlinkOnClose(false)
	return l
}

// certificate makes a well-formed one.
func certificate() []byte {
	public, private, err := ed25519.GenerateKey(rand.Reader)
	must(err)
	template := &x509.Certificate{SerialNumber: big.NewInt(1)}
	der, err := x509.CreateCertificate(rand.Reader, template, template, public, private)
	must(err)
	return der
}

func must(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, "hostile:", err)
		os.Exit(3)
	}
}
