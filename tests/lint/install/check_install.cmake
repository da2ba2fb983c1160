# cmake -DBUILD=… -DSCRATCH=… -DSOURCE=… -DGENERATOR=… -DCOMPILER=… -DLIBRARIES=core,… -P check_install.cmake
# Installs the build into a folder of its own, builds the consumer beside this file against it, runs it,
# and asks every installed program for its version.
function(run)
  execute_process(COMMAND ${ARGV} OUTPUT_VARIABLE output ERROR_VARIABLE output RESULT_VARIABLE failed)
  if(failed)
    message(FATAL_ERROR "${ARGV}\n${output}")
  endif()
  set(output "${output}" PARENT_SCOPE)
endfunction()

file(REMOVE_RECURSE ${SCRATCH})
string(REPLACE "," ";" LIBRARIES "${LIBRARIES}")
run(${CMAKE_COMMAND} --install ${BUILD} --prefix ${SCRATCH}/prefix)
run(${CMAKE_COMMAND} -S ${SOURCE} -B ${SCRATCH}/build -G ${GENERATOR} -DCMAKE_CXX_COMPILER=${COMPILER}
  -DCMAKE_PREFIX_PATH=${SCRATCH}/prefix "-DLIBRARIES=${LIBRARIES}")
run(${CMAKE_COMMAND} --build ${SCRATCH}/build)
run(${SCRATCH}/build/consumer)
# SHA-256 of "abc", FIPS 180-2, appendix B.1.
set(digest ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad)
if(NOT output MATCHES "^bankai ${VERSION}( \\([0-9a-f]+\\))? ${digest}\n$")
  message(FATAL_ERROR "unexpected output of the consumer: ${output}")
endif()

file(GLOB programs ${SCRATCH}/prefix/bin/*)
foreach(program IN LISTS programs)
  run(${program} --version)
  if(NOT output MATCHES "${VERSION}")
    message(FATAL_ERROR "${program} --version says: ${output}")
  endif()
endforeach()
