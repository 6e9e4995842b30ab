// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <stddef.h>
#include <stdint.h>

/// CRC-32C (Castagnoli; RFC 3720, appendix B.4) of `length` bytes, continued from `seed` (0 to begin).
/// Uses the processor's CRC32 instruction where it has one, else a table: both give the same value.
uint32_t verdict_crc32c(uint32_t seed, const void *bytes, size_t length);

/// The table version alone, for the test that holds both against each other.
uint32_t verdict_crc32c_portable(uint32_t seed, const void *bytes, size_t length);
