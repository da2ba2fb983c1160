// All ranks go on, or all stop with the same error. Everything here is collective (see
// mpi/communicator.h) unless it says "local".
#pragma once

#include <cstddef>
#include <span>

#include "core/byte_reader.h"
#include "core/byte_writer.h"
#include "core/result.h"
#include "mpi/communicator.h"

namespace bankai::mpi {

// Ok if every rank brought ok; otherwise the error of the lowest rank that failed, as told by
// error_of_rank(). One all_gather of the messages.
Status agree(Communicator& communicator, const Status& mine);

// Ok if `value` has the same bytes on all ranks; otherwise kMismatch on all of them, naming `what`
// and the first rank that differs from rank 0. For digests and other short values: one all_gather.
Status all_equal(Communicator& communicator, std::span<const std::byte> value, const char* what);

// Local. The error of `rank` with "rank N: " in front, unless all ranks brought the same error:
// then the message is that of a single process. `statuses` has one entry per rank.
// REQUIRES: statuses[rank] is an error.
Error error_of_rank(std::span<const Status> statuses, std::size_t rank);

// Local. A Status as bytes, for other collectives that carry errors.
// REQUIRES of read_status: bytes written by write_status.
void write_status(ByteWriter& writer, const Status& status);
Status read_status(ByteReader& reader);

}  // namespace bankai::mpi
