package guest

import (
	"reflect"
	"strconv"
	"unicode/utf8"

	"github.com/ringfence/ringfence/pluginkit/internal/abi"
	"github.com/ringfence/ringfence/pluginkit/internal/shape"
)

// Level is the severity of a log line.
type Level int32

// The levels of a log line.
const (
	LevelDebug Level = iota
	LevelInfo
	LevelWarn
	LevelError
)

// Log sends a line to the host's log: the message, then each pair of pairs as
// key=value. A line is cut at 16 KiB. Outside a sandbox it goes to stderr.
//
//	guest.Log(guest.LevelWarn, "page skipped", "page", 7, "reason", err)
func Log(level Level, message string, pairs ...any) { log(abi.Current(), level, message, pairs) }

func log(host abi.Host, level Level, message string, pairs []any) {
	line := []byte(message)
	for i := 0; i < len(pairs) && len(line) < abi.MaxLog; i += 2 {
		line = append(line, ' ')
		if i+1 == len(pairs) {
			line = appendWord(append(line, "!nokey="...), pairs[i])
			break
		}
		line = appendWord(line, pairs[i])
		line = appendWord(append(line, '='), pairs[i+1])
	}
	if end := abi.MaxLog; len(line) > end {
		for !utf8.RuneStart(line[end]) {
			end--
		}
		line = line[:end]
	}
	host.Log(int32(level), string(line))
}

// appendWord writes a value so that it reads as one word: text with a space or
// a quote is quoted, structured values are JSON.
func appendWord(line []byte, value any) []byte {
	switch v := value.(type) {
	case nil:
		return append(line, "null"...)
	case string:
		return appendText(line, v)
	case error:
		return appendText(line, v.Error())
	case interface{ String() string }:
		return appendText(line, v.String())
	}
	s, err := shape.For(reflect.TypeOf(value), shape.Output)
	if err != nil {
		return appendText(line, err.Error())
	}
	encoded, err := s.Append(nil, reflect.ValueOf(value))
	if err != nil {
		return appendText(line, err.Error())
	}
	return append(line, encoded...)
}

func appendText(line []byte, text string) []byte {
	for i := range len(text) {
		if c := text[i]; c <= ' ' || c == '"' || c == '=' || c == 0x7f {
			return strconv.AppendQuote(line, text)
		}
	}
	if text == "" {
		return append(line, `""`...)
	}
	return append(line, text...)
}
