// SPDX-License-Identifier: Apache-2.0
#include "CChecksum.h"

#include <string.h>

/// The Castagnoli polynomial 0x1EDC6F41, bit-reversed.
#define POLYNOMIAL 0x82F63B78u

static uint32_t table[8][256];

/// Built before main, so that readers need no lock.
__attribute__((constructor)) static void build_table(void) {
    for (uint32_t byte = 0; byte < 256; byte++) {
        uint32_t value = byte;
        for (int bit = 0; bit < 8; bit++) value = (value >> 1) ^ ((value & 1) ? POLYNOMIAL : 0);
        table[0][byte] = value;
    }
    for (uint32_t byte = 0; byte < 256; byte++)
        for (int slice = 1; slice < 8; slice++)
            table[slice][byte] = (table[slice - 1][byte] >> 8) ^ table[0][table[slice - 1][byte] & 0xFF];
}

uint32_t verdict_crc32c_portable(uint32_t seed, const void *bytes, size_t length) {
    const uint8_t *at = bytes;
    uint32_t crc = ~seed;
    while (length >= 8) {
        uint32_t low = crc ^ ((uint32_t)at[0] | (uint32_t)at[1] << 8 | (uint32_t)at[2] << 16 | (uint32_t)at[3] << 24);
        crc = table[7][low & 0xFF] ^ table[6][(low >> 8) & 0xFF] ^ table[5][(low >> 16) & 0xFF] ^ table[4][low >> 24]
            ^ table[3][at[4]] ^ table[2][at[5]] ^ table[1][at[6]] ^ table[0][at[7]];
        at += 8;
        length -= 8;
    }
    while (length-- > 0) crc = (crc >> 8) ^ table[0][(crc ^ *at++) & 0xFF];
    return ~crc;
}

#if defined(__x86_64__)
#include <nmmintrin.h>

__attribute__((target("sse4.2"))) static uint32_t crc32c_sse42(uint32_t seed, const void *bytes, size_t length) {
    const uint8_t *at = bytes;
    uint64_t crc = (uint32_t)~seed;
    while (length >= 8) {
        uint64_t word;
        memcpy(&word, at, 8);
        crc = _mm_crc32_u64(crc, word);
        at += 8;
        length -= 8;
    }
    while (length-- > 0) crc = _mm_crc32_u8((uint32_t)crc, *at++);
    return ~(uint32_t)crc;
}

uint32_t verdict_crc32c(uint32_t seed, const void *bytes, size_t length) {
    return __builtin_cpu_supports("sse4.2") ? crc32c_sse42(seed, bytes, length)
                                            : verdict_crc32c_portable(seed, bytes, length);
}
#else
uint32_t verdict_crc32c(uint32_t seed, const void *bytes, size_t length) {
    return verdict_crc32c_portable(seed, bytes, length);
}
#endif
