package guestslog_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"testing"
	"time"

	"github.com/ringfence/ringfence/pluginkit/guest/guestslog"
	"github.com/ringfence/ringfence/pluginkit/guest/guesttest"
	"github.com/ringfence/ringfence/pluginkit/internal/abi"
)

// late is a value that is computed when it is logged.
type late struct{}

func (late) LogValue() slog.Value { return slog.GroupValue(slog.Int("a", 1), slog.String("b", "x y")) }

func TestLines(t *testing.T) {
	host := (&guesttest.Host{}).Use(t)
	for want, log := range map[string]func(*slog.Logger){
		`plain`: func(l *slog.Logger) { l.Info("plain") },
		`all kinds n=7 ok=true text="a b" why="no luck" took=1.5s list=[1,2] none=null`: func(l *slog.Logger) {
			l.Warn("all kinds", "n", 7, "ok", true, "text", "a b", "why", errors.New("no luck"), "took", 1500*time.Millisecond, "list", []int{1, 2}, "none", nil)
		},
		`groups g.h.a=1 b=2 late.a=1 late.b="x y"`: func(l *slog.Logger) {
			l.Info("groups", slog.Group("g", slog.Group("h", "a", 1), slog.Group("empty")), slog.Group("", "b", 2), slog.Attr{}, "late", late{})
		},
		`with call=3 g.x=1 g.h.y=2 g.h.z=3`: func(l *slog.Logger) {
			l.With("call", 3).WithGroup("g").With("x", 1).WithGroup("h").WithGroup("").With("y", 2).Info("with", "z", 3)
		},
	} {
		host.Logs = nil
		log(guestslog.Logger())
		if !slices.Equal(host.Logs, []string{want}) {
			t.Errorf("got  %q\nwant %q", host.Logs, want)
		}
	}
}

// Two loggers that begin with the same attributes do not write over each other's.
func TestLoggersDoNotShareWhatTheyAdd(t *testing.T) {
	host := (&guesttest.Host{}).Use(t)
	base := guestslog.Logger().With("a", 1, "b", 2, "c", 3)
	one, two := base.With("one", 1), base.With("two", 2)
	one.Info("1", "x", 1)
	two.Info("2", "x", 2)
	one.Info("3", "x", 3)
	if want := []string{"1 a=1 b=2 c=3 one=1 x=1", "2 a=1 b=2 c=3 two=2 x=2", "3 a=1 b=2 c=3 one=1 x=3"}; !slices.Equal(host.Logs, want) {
		t.Errorf("got  %q\nwant %q", host.Logs, want)
	}
}

// leveled is a host that remembers how severe lines are.
type leveled struct {
	abi.Host
	lines []string
}

func (l *leveled) Log(level int32, line string) {
	l.lines = append(l.lines, fmt.Sprint(level, " ", line))
}

func TestLevels(t *testing.T) {
	host := &leveled{}
	previous := abi.Use(host)
	defer abi.Use(previous)
	var least slog.LevelVar
	least.Set(slog.LevelWarn)
	l := slog.New(guestslog.NewHandler(&least))
	for _, level := range []slog.Level{slog.LevelInfo, slog.LevelWarn, slog.LevelWarn + 1, slog.LevelError, slog.LevelError + 4} {
		l.Log(context.Background(), level, level.String())
	}
	least.Set(slog.LevelDebug - 4)
	for _, level := range []slog.Level{slog.LevelDebug - 4, slog.LevelDebug, slog.LevelInfo} {
		l.Log(context.Background(), level, level.String())
	}
	want := []string{"2 WARN", "2 WARN+1", "3 ERROR", "3 ERROR+4", "0 DEBUG-4", "0 DEBUG", "1 INFO"}
	if !slices.Equal(host.lines, want) {
		t.Errorf("got  %q\nwant %q", host.lines, want)
	}
}
