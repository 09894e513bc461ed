# Roofline (Williams, Waterman and Patterson, CACM 52(4), 2009, doi:10.1145/1498765.1498785) of C[m, n] = A[m, k] B[k, n].
# Input: one line, tile_m tile_n tile_k format. C stays in the buffer; A and B are read again for every tile.
{
    m = n = k = 4096
    buffer_byte = 262144; flop_per_s = 9.9e14; byte_per_s = 3.35e12   # an H100's, for bfloat16
    size = $4 == "float32" ? 4 : $4 == "bfloat16" ? 2 : 1
    used = size * ($1 * $3 + $3 * $2 + $1 * $2)
    if (used > buffer_byte) {
        printf "over_by %.17g\n", used / buffer_byte - 1
        exit 3
    }
    traffic = size * (m * k * (n / $2) + k * n * (m / $1) + m * n)
    compute_s = 2 * m * n * k / (flop_per_s * 2 / size)
    memory_s = traffic / byte_per_s
    printf "traffic_byte %.17g\n", traffic
    printf "latency_us %.17g\n", 1e6 * (compute_s > memory_s ? compute_s : memory_s)
}
