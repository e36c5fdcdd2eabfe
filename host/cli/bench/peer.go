package bench

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// measurePeer has another program measure its own library's calls: in a module of its
// own, so that this one depends on nothing that it only compares itself with. It is
// called with the sizes, comma-separated, and the milliseconds for each figure, and
// prints a JSON array of Peer.
func (b *bench) measurePeer(ctx context.Context) error {
	var sizes []string
	for _, size := range b.sizes {
		sizes = append(sizes, strconv.Itoa(size))
	}
	out, err := output(ctx, b.Peer, strings.Join(sizes, ","), strconv.FormatInt(b.slice.Milliseconds(), 10))
	if err != nil {
		return fmt.Errorf("the peer %s: %w", b.Peer, err)
	}
	var rows []Peer
	d := json.NewDecoder(bytes.NewReader(out))
	d.DisallowUnknownFields()
	if err := d.Decode(&rows); err != nil {
		return fmt.Errorf("what the peer %s printed: %w", b.Peer, err)
	}
	if len(rows) == 0 {
		return errors.New("the peer has measured nothing")
	}
	for _, row := range rows {
		key := Peer{Way: row.Way, Tool: row.Tool, Size: row.Size}
		b.peers[key] = append(b.peers[key], row)
	}
	return nil
}

func (b *bench) peerRows() (rows []Peer) {
	for key, all := range b.peers {
		for _, one := range all {
			key.Calls += one.Calls
		}
		key.P50 = medianOf(all, func(p Peer) float64 { return p.P50 })
		key.P99 = medianOf(all, func(p Peer) float64 { return p.P99 })
		rows = append(rows, key)
	}
	slices.SortFunc(rows, func(x, y Peer) int { return cmp.Or(-cmp.Compare(x.Tool, y.Tool), cmp.Compare(x.Size, y.Size)) })
	return rows
}
