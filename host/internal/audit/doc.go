// Package audit keeps the record of every decision the host took: JSON lines in
// one file that is only ever appended to.
//
//	{"v":1,"time":"2026-01-02T03:04:05.000000006Z","seq":7,"host":"9f3c","plugin":"github","call":"c4",
//	 "kind":"http","decision":"deny","rule":"http","reason":"…","details":{"method":"GET","url":"https://…"}}
//
// One record is one write(2) of one line, at most 20 KiB, in printable ASCII:
// whatever a guest put into a name or a URL cannot break the line, steer the
// terminal of whoever reads it, or fill the disk. Fields that are too long end
// in "…". Values of query parameters and user names in URLs are never recorded.
//
// Several hosts may append to one file. Each holds flock(2) on it for the time
// of one record, so that a file is rotated by one of them only; "seq" counts
// without gaps per "host". The file and its three predecessors (.1 to .3) hold at
// most 64 MiB each.
//
// Record fails when the record is not in the file. The caller then refuses what
// it was about to allow: nothing happens that is not on record. Records survive
// the end of the host by any signal; they are not flushed to the disk one by one,
// so a power cut can lose the last ones.
//
// Nothing here decides anything, and no secret may be handed to it.
package audit
