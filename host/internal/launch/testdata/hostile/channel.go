package main

import (
	"fmt"
	"os"

	"golang.org/x/sys/unix"

	"github.com/ringfence/ringfence/pluginkit"
)

func init() {
	// Serves, and does with its channel what it is told.
	ways["channel"] = func([]string) {
		serveWith(map[string]func(string) string{
			"take":  func(string) string { return take() },
			"close": func(string) string { return fmt.Sprint(unix.Close(pluginkit.ChannelFD)) },
			"write": func(s string) string {
				if s == "nothing" {
					s = ""
				}
				return fmt.Sprint(unix.Send(pluginkit.ChannelFD, []byte(s), 0))
			},
			"give": func(string) string {
				f, err := os.Open("/dev/null")
				if err != nil {
					f = os.Stdout // in a jail
				}
				return fmt.Sprint(unix.Sendmsg(pluginkit.ChannelFD, []byte("x"), unix.UnixRights(int(f.Fd())), nil, 0))
			},
			"kind": func(string) string {
				kind, err := unix.GetsockoptInt(pluginkit.ChannelFD, unix.SOL_SOCKET, unix.SO_TYPE)
				return fmt.Sprint(kind, err)
			},
		})
	}
}

// take receives one packet and reads the files in it.
func take() string {
	payload, control := make([]byte, 8), make([]byte, 256)
	n, controlled, _, _, err := unix.Recvmsg(pluginkit.ChannelFD, payload, control, unix.MSG_DONTWAIT|unix.MSG_CMSG_CLOEXEC)
	if err != nil {
		return err.Error()
	}
	text := fmt.Sprint(payload[:n])
	messages, err := unix.ParseSocketControlMessage(control[:controlled])
	must(err)
	for _, m := range messages {
		fds, err := unix.ParseUnixRights(&m)
		must(err)
		for _, fd := range fds {
			content := make([]byte, 64)
			n, err := unix.Pread(fd, content, 0)
			must(err)
			text += " " + string(content[:n])
		}
	}
	return text
}
