// What the attachment of a volume to a node is called, on both sides: by who attaches, and by the node that waits for it.
import { sha256 } from '@noble/hashes/sha2.js'
import { bytesToHex, utf8ToBytes } from '@noble/hashes/utils.js'

/** The hash of a text, in hexadecimal digits. */
export const sha256Hex = (text: string): string => bytesToHex(sha256(utf8ToBytes(text)))

/** Upstream's name (volume/csi, getAttachmentName): whoever attaches, every kubelet finds it. */
export const attachmentName = (handle: string, driver: string, node: string): string => `csi-${sha256Hex(`${handle}${driver}${node}`)}`
/** Whether a name is one of these. */
export const isAttachmentName = (name: string): boolean => /^csi-[0-9a-f]{64}$/.test(name)
