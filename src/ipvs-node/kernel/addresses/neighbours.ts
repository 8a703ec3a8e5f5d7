// Tells the neighbours that this host has an address now: gratuitous ARP and unsolicited neighbour advertisements,
// built and sent by native/announce.c (RFC 826, 5227, 4861 7.2.6).
import { OperationalError } from '../../../runtime/errors.ts';
import type { IpAddress } from '../../../net/address.ts';
import { encodeAnnouncement } from '../ipvs/codec.ts';
import { errnoName } from '../errno.ts';
import { inBackground, library } from '../libvipvs.ts';
import { createRecords } from '../ipvs/records.ts';
import { decodeAnnouncementError } from '../ipvs/replies.ts';
import { OK, resultOf, type IpvsResult } from '../ipvs/result.ts';

export interface Announcement {
  readonly address: IpAddress;
  /** IPv6: this host forwards for others, the R flag of RFC 4861 4.4. */
  readonly isRouter?: boolean;
}

/**
 * Gratuitous ARP and unsolicited neighbour advertisements for addresses on one interface, from its own MAC. Gives one
 * result for each address; throws OperationalError where nothing could be sent.
 */
export async function announce(
  ifindex: number,
  list: readonly Announcement[],
): Promise<readonly IpvsResult[]> {
  if (list.length === 0) return [];
  const records = createRecords('announcement', list.length);
  list.forEach(({ address, isRouter }, i) => {
    encodeAnnouncement(records, i, address, isRouter ?? false);
  });
  const lib = library();
  const status = await inBackground((done) => {
    lib.announce.async(ifindex, records.bytes, list.length, done);
  });
  if (status < 0) {
    const name = errnoName(-status);
    const missing = name === 'ENODEV' || name === 'ENXIO';
    throw new OperationalError(
      missing ? 'interface-missing' : name === 'EPERM' ? 'not-permitted' : 'kernel-failed',
      `announcing on interface ${ifindex}: ${name}${name === 'EPERM' ? '; CAP_NET_RAW is needed' : ''}`,
    );
  }
  return list.map((_, i) => {
    const error = decodeAnnouncementError(records, i);
    return error === 0 ? OK : resultOf(errnoName(error), 0);
  });
}
