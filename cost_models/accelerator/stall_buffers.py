"""The two kinds of SRAM in SCALE-Sim's USER mode: what they hold, and how long the array waits for them.

As `scalesim` 3.0.0 has them, see `stall_replay`. Compiled as parts of its kernel; a state is an int64 array.
"""

import numpy as np

from designgym.cost_models.accelerator.dram_counted import up

START, SETS, WINDOW, STEP, EACH, SIZE, TOOK, LAST, LINE, WORDS, LATER = range(11)  # of a read buffer's state
FREE, WHOLE, HALF, LINES, OPEN, ENDS, WIDE, SENT, HEAD = range(9)  # of the write buffer's


def read_buffer(kb, words_per_cycle, held, padded):
    """Return the state of a read buffer of kb kB for an operand of `held` words, `padded` with those of idle ports."""
    size = 1024 * kb
    half = size // 2
    state = np.zeros(11, np.int64)
    state[SIZE], state[EACH] = size, up(size, 100)
    measure(state, held)
    state[LINE] = up(size - half, words_per_cycle)
    state[TOOK], state[LAST] = state[LINE] + 1, -1
    state[LINE] *= words_per_cycle
    state[WORDS] = min(up(half, words_per_cycle), up(padded, words_per_cycle)) * words_per_cycle
    return state


def measure(state, held):
    """Set how many sets an operand of `held` words has, and of these the window and what it goes on by."""
    half = state[SIZE] // 2
    state[SETS] = held // state[EACH] + 1
    state[WINDOW] = min(up(half, state[EACH]), state[SETS])
    state[STEP] = min(up(state[SIZE] - half, state[EACH]), state[SETS] - state[WINDOW])


def asked(state, now, first, last, held):
    """Return by how many cycles the words at places first ... last of an operand's list come late, below 0 where early.

    None are asked for with last < first. held: of `listed`, or empty where each word lies at one place.
    """
    if last < first or state[WINDOW] == state[SETS]:
        return 0
    late = 1
    words, present, begins = held
    if not len(words):
        for one in range(first // state[EACH], last // state[EACH] + 1):
            while (one - state[START]) % state[SETS] >= state[WINDOW]:
                late = gone_on(state, now, late)
        return late - 1
    for place in range(first, last + 1):
        word = words[place]
        while word >= 0 and not present[word]:
            for step in range(state[STEP]):
                mark(words, present, begins, (state[START] + step) % state[SETS], -1)
                mark(words, present, begins, (state[START] + state[WINDOW] + step) % state[SETS], 1)
            late = gone_on(state, now, late)
    return late - 1


def gone_on(state, now, late):
    """Let a window go on, and return how late that makes what is asked for."""
    state[START] = (state[START] + state[STEP]) % state[SETS]
    state[LAST] += state[TOOK]
    state[WORDS] += state[LINE]
    state[LATER] += state[LINE]
    wait = state[LAST] - (now + late)
    return late + (2 * wait if wait > 0 else wait)


def mark(words, present, begins, one, change):
    """Add `change` to how often each word of a set is in the window."""
    for place in range(begins[one], begins[one + 1]):
        if words[place] >= 0:
            present[words[place]] += change


def once():
    """Return what stands for a list in which each word lies at one place."""
    return np.empty(0, np.int32), np.empty(0, np.int32), np.empty(0, np.int64)


def listed(words, state, distinct):
    """Return a list, how often each of the `distinct` words is in the window, and where each set begins.

    words: -1 where a window hangs over the ifmap; such places count for nothing, which the state learns.
    """
    held = 0
    for word in words:
        held += word >= 0
    measure(state, held)
    begins = np.full(state[SETS] + 1, len(words), np.int64)
    begins[0] = 0
    count = 0
    for place in range(len(words)):
        if words[place] >= 0:
            count += 1
            if count % state[EACH] == 0:
                begins[count // state[EACH]] = place + 1
    present = np.zeros(distinct, np.int32)
    for one in range(state[WINDOW]):
        mark(words, present, begins, one, 1)
    return words, present, begins


def write_buffer(kb, words_per_cycle):
    """Return the state of a write buffer of kb kB, see FREE ... HEAD, and by how much each of its lines is not full."""
    state = np.zeros(9, np.int64)
    state[FREE] = state[WHOLE] = 1024 * kb
    state[HALF], state[WIDE] = 1024 * kb - 512 * kb, words_per_cycle
    return state, np.zeros(2 * up(1024 * kb, words_per_cycle) + 16, np.int64)


def written(writes, now, words):
    """Return how many cycles so many words wait for room."""
    late, state = 0, writes[0]
    for _ in range(words):
        state[FREE] -= 1
        state[OPEN] += 1
        if state[OPEN] == state[WIDE]:
            close_line(writes)
        if now + late < state[ENDS]:
            if state[FREE] <= 0:
                late = state[ENDS] - now
        elif state[FREE] < state[WHOLE] - state[HALF]:
            state[ENDS] = now + late + sent_off(writes) - 1
    return late


def close_line(writes):
    """End the line that is open, full or not."""
    state, lacking = writes
    lacking[(state[HEAD] + state[LINES]) % len(lacking)] = state[WIDE] - state[OPEN]
    state[LINES] += 1
    state[OPEN] = 0


def sent_off(writes):
    """Send the oldest half of what is written, or all of it where that is less; return how many lines that is.

    Of lines that are not full the tool notices the last one alone.
    """
    state, lacking = writes
    if state[OPEN]:
        close_line(writes)
    lines = min(up(state[HALF], state[WIDE]), state[LINES])
    words = lines * state[WIDE] - lacking[(state[HEAD] + lines - 1) % len(lacking)]
    state[HEAD] += lines
    state[LINES] -= lines
    state[FREE] += words
    state[SENT] += words
    return lines


def emptied(writes):
    """Send all that is left; return the words sent in all."""
    state = writes[0]
    while state[LINES] or state[OPEN]:
        sent_off(writes)
    return state[SENT]
