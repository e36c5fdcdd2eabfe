package main

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"strings"
	"syscall"
)

func init() {
	// Log lines whose types go-plugin's parser takes on trust.
	ways["stderr-json"] = func([]string) {
		for _, line := range []string{
			`{"@message":1}`, `{"@message":null}`, `{"@message":{}}`, `{"@level":[]}`, `{"@timestamp":7}`,
			`{"@level":"info","@message":["x"]}`, `{"@level":1,"@message":"x"}`, `{"@module":{},"@message":"x","@level":"info"}`,
			`{"@level":"info","@message":"x","@timestamp":{}}`, `{"":1}`, `[]`, `null`, `{`, strings.Repeat(`{"a":`, 1500),
			"\x1b]0;title\x07\x1b[2J", "a\rb\u202ec\xff", `{"@level":"info","@message":"\u001b[31mred\nsecond"}`,
		} {
			fmt.Fprintln(os.Stderr, line)
		}
		serve()
	}
	ways["stderr-long"] = func([]string) {
		fmt.Fprintln(os.Stderr, strings.Repeat("x", 1<<20))
		fmt.Fprintln(os.Stderr, "after")
		serve()
	}
	ways["unbroken-before"] = func([]string) {
		os.Stdout.Write(bytes.Repeat([]byte("x"), 1<<20))
		hold()
	}
	ways["lines-after"] = func([]string) {
		l := listen("s")
		fmt.Println("1|1|unix|./s|grpc|\n1|1|tcp|127.0.0.1:1|grpc|\nmore")
		serveOn(l)
	}
	// Answers questions about what it was given.
	ways["look"] = func([]string) {
		stdin, err := io.ReadAll(os.Stdin)
		serveWith(map[string]func(string) string{
			"stdin": func(string) string { return fmt.Sprintf("%d %v", len(stdin), err) },
			"env":   func(string) string { return strings.Join(os.Environ(), "\n") },
			"cwd":   func(string) string { d, _ := os.Getwd(); return d },
			"fds": func(string) string {
				var out []string
				names, _ := os.ReadDir("/proc/self/fd")
				for _, n := range names {
					to, _ := os.Readlink("/proc/self/fd/" + n.Name())
					out = append(out, n.Name()+" "+to)
				}
				return strings.Join(out, "\n")
			},
			"read4": func(string) string { b, err := io.ReadAll(os.NewFile(4, "")); return fmt.Sprint(string(b), err) },
		})
	}
	// Writes to the descriptors themselves, behind go-plugin's back.
	ways["flood"] = func([]string) {
		serveWith(map[string]func(string) string{
			"once": func(string) string {
				n := 0
				for b := bytes.Repeat([]byte("x"), 1<<20); len(b) > 0; {
					m, err := syscall.Write(1, b)
					if err != nil {
						return err.Error()
					}
					n, b = n+m, b[m:]
				}
				return fmt.Sprint(n)
			},
			"forever": func(string) string {
				for fd := 1; fd <= 2; fd++ {
					go func() {
						for b := bytes.Repeat([]byte("y"), 64<<10); ; {
							syscall.Write(fd, b)
						}
					}()
					go func() {
						for b := bytes.Repeat([]byte("z\n"), 32<<10); ; {
							syscall.Write(fd, b)
						}
					}()
				}
				return "begun"
			},
		})
	}
}
