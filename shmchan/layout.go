package shmchan

// A memory file ("region") has one writer. It begins with a control page:
//
//	line 0   magic, layout version, page size, epoch, lanes, size, role
//	then per lane four lines
//	+0       head: how many descriptors the owner has published on this lane
//	+128     tail: how many it has released of the other region's
//	+256     reader parked: the owner sleeps until the other's head moves;
//	         slots and data bytes of the lane, written once
//	+384     writer parked: the owner sleeps until the other's tail moves
//
// Lines are 128 bytes apart, since processors fetch cache lines in pairs. Behind
// the control page lie the descriptor rings, then the data areas, each of them
// on a multiple of 64 KiB.
const (
	line      = 128
	laneLines = 4 * line

	magic         = 0x01_4d_48_53_46_47_4e_52 // "RNGFSHM\x01" in memory
	layoutVersion = 1

	offMagic    = 0
	offVersion  = 8
	offPageSize = 16
	offEpoch    = 24
	offLanes    = 32
	offSize     = 40
	offRole     = 48

	offHead         = 0
	offTail         = line
	offReaderParked = 2 * line
	offSlots        = offReaderParked + 8
	offData         = offReaderParked + 16
	offWriterParked = 3 * line

	// MaxLanes is how many lanes fit the smallest control page.
	MaxLanes = (4096 - line) / laneLines

	slotSize  = 32
	dataAlign = 64 // start of a message: no two share a cache line
	areaAlign = 64 << 10
	hugePage  = 2 << 20

	// closedBit in a head or tail says that its owner has closed the channel.
	// A counter cannot reach it: at 10^9 messages a second that takes 292 years.
	closedBit = 1 << 63
)

// role tells the two regions of a pair apart, so that they cannot be swapped.
type role uint64

const (
	roleCreator  role = 1 // written by the end that called Create
	roleAttacher role = 2
)

func laneBase(lane int) int { return line + lane*laneLines }

func roundUp(n, to int64) int64 { return (n + to - 1) / to * to }
