/** For which processor a Lambda function was built. */

import { readFileSync } from 'node:fs';
import { inflateRawSync } from 'node:zlib';

/** A Lambda architecture. */
export type Machine = 'arm64' | 'x86_64';

/** `e_machine` of the ELF header (https://refspecs.linuxfoundation.org/elf/gabi4+/ch4.eheader.html). */
const MACHINES: ReadonlyMap<number, Machine> = new Map([
  [183, 'arm64'],
  [62, 'x86_64'],
]);
const E_MACHINE = 18;
const STORED = 0;
const DEFLATED = 8;

/**
 * Reads it from a zip whose first file is the executable, as cargo-lambda makes
 * them; `undefined` for anything else. A function on the wrong processor deploys
 * well, and then fails on every event.
 */
export function machineOfZip(path: string): Machine | undefined {
  const zip = readFileSync(path);
  // Local file header: APPNOTE.TXT, section 4.3.7.
  if (zip.length < 30 || zip.readUInt32LE(0) !== 0x04034b50) {
    return undefined;
  }
  const begin = 30 + zip.readUInt16LE(26) + zip.readUInt16LE(28);
  const content = firstBytes(zip.subarray(begin), zip.readUInt16LE(8));
  if (content === undefined || content.length < E_MACHINE + 2 || content.readUInt32BE(0) !== 0x7f454c46) {
    return undefined;
  }
  return MACHINES.get(content.readUInt16LE(E_MACHINE));
}

function firstBytes(data: Buffer, method: number): Buffer | undefined {
  switch (method) {
    case STORED:
      return data;
    case DEFLATED:
      // What follows the file’s end in the zip is not looked at.
      return inflateRawSync(data);
    default:
      return undefined;
  }
}
