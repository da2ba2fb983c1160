# bankai_add_test(NAME SOURCES a.cpp … [LIBRARIES …] [LABELS …] [TIMEOUT s]): one GoogleTest binary, one ctest entry.
# bankai_add_mpi_test(NAME RANKS 1 2 3 SOURCES … ): the same under mpiexec, one ctest entry per rank count.
# Open MPI as root and with fewer cores than ranks, for the tests and the scripts alike.
file(STRINGS ${PROJECT_SOURCE_DIR}/tools/mpi-environment BANKAI_MPI_ENVIRONMENT REGEX "^[A-Z]")

# Tests call the libraries more than they compute: -O1 compiles them in three quarters of the time and loses little. What
# computes for the tests is in the support libraries, which keep the usual flags.
function(bankai_compile_as_test target)
  target_compile_options(${target} PRIVATE $<$<CONFIG:Release>:-O1>)
endfunction()

function(bankai_add_test_binary name)
  cmake_parse_arguments(ARG "" "" "SOURCES;LIBRARIES" ${ARGN})
  add_executable(${name} ${ARG_SOURCES})
  bankai_compile_as_test(${name})
  target_link_libraries(${name} PRIVATE bankai_settings bankai_test_support GTest::gtest GTest::gtest_main
    ${ARG_LIBRARIES})
  set_target_properties(${name} PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/tests)
endfunction()

function(bankai_add_test name)
  cmake_parse_arguments(ARG "" "TIMEOUT" "SOURCES;LIBRARIES;LABELS" ${ARGN})
  bankai_add_test_binary(${name} SOURCES ${ARG_SOURCES} LIBRARIES ${ARG_LIBRARIES})
  add_test(NAME ${name} COMMAND ${name})
  if(NOT ARG_TIMEOUT)
    set(ARG_TIMEOUT 120)
  endif()
  # Waiting threads sleep: tests share few cores, and a spinning thread keeps the one it waits for from running.
  set_tests_properties(${name} PROPERTIES LABELS "${ARG_LABELS}" TIMEOUT ${ARG_TIMEOUT}
    ENVIRONMENT OMP_WAIT_POLICY=passive)
endfunction()

function(bankai_add_mpi_test name)
  cmake_parse_arguments(ARG "" "" "RANKS;SOURCES;LIBRARIES;LABELS" ${ARGN})
  bankai_add_test_binary(${name} SOURCES ${ARG_SOURCES} LIBRARIES ${ARG_LIBRARIES})
  foreach(ranks IN LISTS ARG_RANKS)
    add_test(NAME ${name}.ranks${ranks}
      COMMAND ${MPIEXEC_EXECUTABLE} ${MPIEXEC_NUMPROC_FLAG} ${ranks} $<TARGET_FILE:${name}>)
    set_tests_properties(${name}.ranks${ranks} PROPERTIES LABELS "mpi;${ARG_LABELS}" TIMEOUT 120
      PROCESSORS 2 ENVIRONMENT "${BANKAI_MPI_ENVIRONMENT}")
  endforeach()
endfunction()
