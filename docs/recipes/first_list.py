import os

from ga_sync.client import Client, all_, not_, segment

with Client(os.environ["API"], os.environ["STORE"]) as client:
    link = next(client.links())
    sizes = {one.segment_id: one.recordings for one in client.segments(link.link_id)}
    unwanted, *_, wanted = sorted(sizes, key=sizes.__getitem__)
    for recording_id in client.every(link.link_id, all_(segment(wanted), not_(segment(unwanted)))):
        print(recording_id)
