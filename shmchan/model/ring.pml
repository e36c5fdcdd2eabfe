/*
 * The algorithm of one ring: head, tail, the two parked flags, futex, poke.
 *
 * Checked by check.sh, which also checks that each mutation named below (a
 * macro, off by default) is found. One ring is enough: a lane is two of them
 * that share no word, and both run the same code.
 *
 * Memory is not sequentially consistent. A store goes into the store buffer of
 * its process and reaches memory later, by the process Drain. With TSO (amd64)
 * the buffer is a queue. With -DPSO any store may overtake any other, except
 * that one with release order waits for all before it; that is the weaker
 * order of stores on arm64. Loads happen in program order in both: the code
 * loads shared words only through sync/atomic, which orders them.
 *
 * No process ever loads a word that it stores: its own cursors live in private
 * memory and the shared ones are only published (outring.go, inring.go). So
 * no load needs to look into the store buffer first.
 *
 * A store through sync/atomic is a store with release order that is in memory
 * before the next load (XCHG on amd64, STLR before LDAR on arm64): here, put and
 * then wait until the buffer is empty. The kernel is given no such fence. Linux
 * takes a lock in futex_wait which is one, but nothing says that it must.
 *
 * What is left out: validation of a hostile peer's values (the fuzz targets),
 * allocation inside the data area and several loans at a time (sequential code;
 * property tests), deadlines (a wake-up without a cause is one), and the shared
 * waiter, which keeps the same order of flag, look and wait (wait.go, parkOn).
 */

#define SLOTS 2 /* descriptors in the ring */

/*
 * Counters run modulo WRAP. It stands for the 2^32 that the futex compares, and
 * is as small as it may be: SLOTS < WRAP. The head cannot come round to the
 * value that a parked reader saw, since it never leads by more than SLOTS what
 * that reader has taken, and a parked reader takes nothing.
 */
#define WRAP  (2 * SLOTS)
#define next(i) (((i) + 1) % WRAP)
#define ahead(a, b) (((a) + WRAP - (b)) % WRAP)

/* Shared words. The first half is the producer's region, the rest the consumer's. */
#define HEAD   0             /* layout.go: head */
#define WPARK  1             /* layout.go: writerParked */
#define DESC   2             /* SLOTS words: the sequence number in a descriptor */
#define DATA   (2 + SLOTS)   /* SLOTS words: the bytes of a frame */
#define TAIL   (2 + 2*SLOTS) /* layout.go: tail */
#define RPARK  (3 + 2*SLOTS) /* layout.go: readerParked */
#define WORDS  (4 + 2*SLOTS)

#define P 0 /* the producer's process */
#define C 1 /* the consumer's process */

byte mem[WORDS];
chan buf[2] = [4] of { byte, byte }; /* store buffers: word, value */
bool asleep[2];                      /* in the kernel's queue for a futex */

/* Private to each process, shared by its goroutines: wait.go, type sleeper. */
bool stop[2];                        /* poked: ends this and every later await */
bool target[2];                      /* a goroutine is parked or about to be */
bool gone[2];                        /* the goroutine has seen the end */

byte spurious = 1;                   /* wake-ups without a cause, still to come */

#define store(w, v) buf[me]!w, v     /* a plain store */
#define fence()     empty(buf[me])   /* blocks until the buffer has drained */

/* An atomic store: Go's sync/atomic, sequentially consistent. */
inline atomic_store(w, v) {
	store(w, v);
	fence()
}

/* FUTEX_WAIT: the comparison and the queueing are one step, under the kernel's lock. */
inline futex_wait(w, v) {
	if
	:: atomic { mem[w] == v -> asleep[me] = true };
end_asleep:
	   !asleep[me]
	:: mem[w] != v /* EAGAIN */
	fi
}

/* FUTEX_WAKE of at most one waiter; waking nobody is no error. */
#define futex_wake(who) asleep[who] = false

/*
 * wait.go, sleeper.await: returns when the word is not `seen` any more, or when
 * poked. Spinning and yielding are looks before parking; a look that finds
 * nothing changes nothing, so here one that finds something stands for all.
 */
inline await(word, flag, seen) {
	if
	:: mem[word] != seen                    /* await, look: the peer was quick */
	:: true ->
		target[me] = true;              /* park: target.Store(word), from here on kick finds us */
#ifdef NO_FENCE_PARK
		store(flag, 1);                 /* MUTATION: the store may still be in the buffer at the next look */
#else
		atomic_store(flag, 1);          /* parkDirect: parked.Store(1) */
#endif
#ifdef EARLY_CLEAR
		atomic_store(flag, 0);          /* MUTATION: the flag is taken back before the wait is over */
#endif
		if                              /* parkDirect: word.Load(), stopped.Load(), after the flag */
		:: stop[me]
		:: !stop[me] ->
#ifdef WAIT_ON_RELOAD
			now = mem[word];        /* MUTATION: wait for a change of what was just loaded, not of what was seen */
			futex_wait(word, now)
#else
			if
			:: mem[word] != seen
			:: mem[word] == seen ->
				futex_wait(word, seen) /* futexWait: the kernel compares once more */
			fi
#endif
		fi;
		atomic_store(flag, 0);          /* parkDirect: parked.Store(0) */
		target[me] = false              /* park: target.Store(nil) */
	fi
}

/* producer.go and outring.go, the sending end */
active proctype Producer() {
	byte me = P;
	byte head;   /* private cursor: frames committed */
	byte tail;   /* last value of the peer's tail */
	byte now;

	do
	:: !stop[P] ->
		/* reserve, fits: is there room, as far as the last look goes? Else room: look, else wait. */
		do
		:: stop[P] -> goto closed
		:: !stop[P] && ahead(head, tail) < SLOTS -> break
		:: !stop[P] && ahead(head, tail) == SLOTS ->
			now = mem[TAIL];                 /* outRing.look: loaded once */
			if
			:: now != tail -> tail = now
			:: now == tail -> await(TAIL, WPARK, tail)
			fi
		od;
#ifdef OVERCOMMIT
		if :: true -> tail = head :: true fi;    /* MUTATION: takes a live slot */
#endif
		/* The caller writes Reservation.Bytes; Commit, advance write the descriptor. */
		store(DATA + head % SLOTS, head);
		store(DESC + head % SLOTS, head);
		/* outRing.show: head, then the reader's flag, then the wake */
#ifdef WAKE_BEFORE_PUBLISH
		if                                       /* MUTATION */
		:: mem[RPARK] == 1 -> futex_wake(C)
		:: mem[RPARK] == 0
		fi;
		head = next(head);
		atomic_store(HEAD, head)
#else
		head = next(head);
#ifdef NO_FENCE_PUBLISH
		store(HEAD, head);                       /* MUTATION: the flag may be loaded before the head is seen */
#else
		atomic_store(HEAD, head);                /* show: head.Store */
#endif
		if
		:: mem[RPARK] == 1 -> futex_wake(C)      /* show: peerParked.Load, wakeWord(head) */
		:: mem[RPARK] == 0
		fi
#endif
	:: stop[P] -> goto closed
	:: goto idle                                     /* nothing more to say, for ever */
	od;
closed:
	gone[P] = true;
idle:
	skip
}

/* consumer.go and inring.go, the receiving end */
active proctype Consumer() {
	byte me = C;
	byte tail;   /* private cursor: frames released */
	byte head;   /* last value of the peer's head */
	byte now;

	do
	:: stop[C] -> break
	:: !stop[C] ->
		/* take: is there a frame, as far as the last look goes? Else arrive: look, else wait. */
		if
		:: head == tail ->
#ifdef STALE_LOOK
			now = head;                      /* MUTATION: looks at its own copy, for ever */
#else
			now = mem[HEAD];                 /* inRing.look: loaded once */
#endif
			if
			:: now != head -> head = now
			:: now == head -> await(HEAD, RPARK, head)
			fi
		:: head != tail ->
			/* pull, decode: in order, without a gap */
			assert(mem[DESC + tail % SLOTS] == tail);
			/* the loan: the bytes are the frame's when they are first read, and when last */
			assert(mem[DATA + tail % SLOTS] == tail);
#ifdef EARLY_RELEASE
			atomic_store(TAIL, next(tail));  /* MUTATION: the slot is given back while it is read */
#endif
			assert(mem[DATA + tail % SLOTS] == tail);
			/* Release, moveTail: tail, then the writer's flag, then the wake */
progress:
			tail = next(tail);
#ifdef NO_FENCE_RELEASE
			store(TAIL, tail);               /* MUTATION */
#else
			atomic_store(TAIL, tail);        /* moveTail: tailWord.Store */
#endif
			if
			:: mem[WPARK] == 1 -> futex_wake(P) /* moveTail: peerParked.Load, wakeWord(tailWord) */
			:: mem[WPARK] == 0
			fi
		fi
	od;
	gone[C] = true
}

/* The store buffers empty themselves, at any time. */
active [2] proctype Drain() {
	byte me = _pid % 2;
	byte w, v;
end:
	do
	:: atomic { buf[me]?w, v -> mem[w] = v }              /* the oldest store */
#ifdef PSO
	:: atomic { buf[me]??eval(DESC), v -> mem[DESC] = v } /* any plain store */
	:: atomic { buf[me]??eval(DESC + 1), v -> mem[DESC + 1] = v }
	:: atomic { buf[me]??eval(DATA), v -> mem[DATA] = v }
	:: atomic { buf[me]??eval(DATA + 1), v -> mem[DATA + 1] = v }
#ifdef PLAIN_HEAD
	:: atomic { buf[me]??eval(HEAD), v -> mem[HEAD] = v } /* MUTATION: head without release order */
#endif
#endif
	od
}

/* The kernel may wake a waiter for no reason, as a signal or a deadline does. */
active proctype Spurious() {
end:
	do
	:: atomic { spurious > 0 && asleep[P] -> asleep[P] = false; spurious-- }
	:: atomic { spurious > 0 && asleep[C] -> asleep[C] = false; spurious-- }
	od
}

/* poke.go, sleeper.poke and kick, from another goroutine of the process that waits. */
inline poke(who) {
	stop[who] = true;
#ifdef POKE_ONCE
	futex_wake(who)                         /* MUTATION: it may come between the look and the wait */
#else
	do
	:: target[who] -> futex_wake(who)       /* kick: again, until the waiter is out */
	:: !target[who] -> break
	od
#endif
}

/*
 * channel.go, Channel.end: by Close on one side, and by the hang-up on the other.
 * That Close also publishes a head and a tail with a bit set (shutdown) is to a
 * waiter a change of the word like any other.
 */
active proctype Closer() {
	if
	:: true -> poke(P); poke(C)
	:: true -> poke(C); poke(P)
	:: true                                 /* never closed */
	fi
}

/*
 * `timeout` is true when nothing else can move. Then, and only then, must all
 * that could be done be done: a waiter that sleeps here sleeps for ever.
 */
active proctype Stillness() {
end:
	timeout ->
	assert(!asleep[P]);                               /* a full ring has a reader that is awake */
	assert(stop[C] || mem[HEAD] == mem[TAIL]);        /* every committed frame was read */
	assert(!stop[C] || gone[C]);                      /* Close ends the wait */
	assert(!asleep[C] || !stop[C])
}
